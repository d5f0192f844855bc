"""The checks find what they are for: each is run on a small tree with one fault planted."""

import pathlib
import subprocess
import tempfile
import unittest

import check_files
import check_includes


class PlantedFault(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        subprocess.run(["git", "init", "--quiet", self.root], check=True)

    def write(self, path, text):
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def include(self, path, header):
        self.write(path, f'#include "{header}"\n')

    def assert_includes_fault(self, words):
        problems, _ = check_includes.check(self.root)
        self.assertEqual(len(problems), 1, problems)
        self.assertIn(words, problems[0])

    def assert_file_fault(self, words):
        problems, _ = check_files.check(self.root)
        self.assertEqual(len(problems), 1, problems)
        self.assertIn(words, problems[0])

    def test_allowed_includes(self):
        self.include("worker/a.cc", "quant/model/m.h")
        self.include("quant/model/m.h", "quant/format/f.h")
        self.include("quant/model/m.cc", "ATen/core/Tensor.h")
        self.include("quant/train/t.cc", "sasq/v1/job.pb.h")
        self.assertEqual(check_includes.check(self.root)[0], [])

    def test_include_upwards(self):
        self.include("common/a.cc", "server/b.h")
        self.assert_includes_fault("common/a.cc: includes server/b.h")

    def test_include_sideways(self):
        self.include("client/a.cc", "worker/b.h")
        self.assert_includes_fault("client/a.cc: includes worker/b.h")

    def test_include_without_folder(self):
        self.include("common/a.cc", "b.h")
        self.assert_includes_fault("from the root")

    def test_libtorch_outside_its_folders(self):
        self.include("worker/a.cc", "torch/torch.h")
        self.assert_includes_fault("of LibTorch")

    def test_libtorch_through_a_header(self):
        self.include("worker/a.cc", "quant/model/m.h")
        self.include("quant/model/m.h", "ATen/core/Tensor.h")
        self.assert_includes_fault("worker/a.cc > quant/model/m.h > ATen/core/Tensor.h")

    def test_metrics_library_outside_its_file(self):
        self.include("common/log.cc", "prometheus/counter.h")
        self.assert_includes_fault("of prometheus-cpp")

    def test_long_file(self):
        self.write("common/a.cc", "//\n" * (check_files.MAX_LINES + 1))
        self.assert_file_fault("501 lines")

    def test_binary_file(self):
        self.write("package.whl", "PK\0")
        self.assert_file_fault("package.whl: a binary file")

    def test_picture(self):
        self.write("docs/report.png", "PNG\0")
        self.assertEqual(check_files.check(self.root)[0], [])
        self.write("docs/large.png", "PNG\0" * check_files.MAX_PICTURE_BYTES)
        self.assert_file_fault("docs/large.png: a binary file")

    def test_fuzz_input(self):
        self.write("tests/fuzz/corpus/pack/sound", "pack\0")
        self.assertEqual(check_files.check(self.root)[0], [])
        self.write("tests/fuzz/corpus/pack/large", "pack\0" * check_files.MAX_INPUT_BYTES)
        self.assert_file_fault("corpus/pack/large: a binary file")

    def test_vague_name(self):
        self.write("common/utils/a.cc", "")
        self.assert_file_fault("says nothing")

    def test_unfinished(self):
        self.write("common/a.cc", "// TO" "DO: more\n")
        self.assert_file_fault("unfinished")

    def test_machine_path(self):
        self.write("docs/a.md", "see /wo" "rk/main\n")
        self.assert_file_fault("path of one machine")

    def test_include_guard(self):
        self.write("common/a.h", "#ifndef A_H\n#define A_H\n#endif\n")
        self.assert_file_fault("SASQ_COMMON_A_H_")

    def test_script_that_cannot_be_run(self):
        self.write("scripts/a.sh", "#!/bin/sh\n")
        self.assert_file_fault("not executable")

    def test_purpose_of_a_folder(self):
        self.write("common/CMakeLists.txt", "add_library(a)\n")
        self.assert_file_fault("first line")


if __name__ == "__main__":
    unittest.main()
