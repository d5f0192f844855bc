"""Builds the package: modules that protoc makes from the contract, beside the hand-written ones.

Nothing generated is kept in the source tree. A checkout has the contract in ../../proto, a source
distribution brings its own copy in proto/.
"""

import pathlib
import shutil

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

HERE = pathlib.Path(__file__).resolve().parent
PROTO = next(folder for folder in (HERE / "proto", HERE.parents[1] / "proto") if folder.is_dir())
# What users call. The package `sasq.v1` of the contract becomes the Python package of that name.
CONTRACT = "sasq/v1"


class BuildWithStubs(build_py):
    """Adds messages, their type stubs and gRPC stubs."""

    def run(self):
        shutil.rmtree(self.build_lib, ignore_errors=True)  # modules of an earlier build that are no more
        super().run()
        from grpc_tools import protoc  # a requirement of the build, not of `setup.py --version`

        sources = sorted(str(path) for path in (PROTO / CONTRACT).glob("*.proto"))
        well_known = pathlib.Path(protoc.__file__).parent / "_proto"
        pathlib.Path(self.build_lib, CONTRACT).mkdir(parents=True, exist_ok=True)
        status = protoc.main(["protoc", f"-I{PROTO}", f"-I{well_known}", f"--python_out={self.build_lib}",
                              f"--pyi_out={self.build_lib}", f"--grpc_python_out={self.build_lib}", *sources])
        if status != 0:
            raise SystemExit(f"protoc ended with {status}: see its messages above")
        pathlib.Path(self.build_lib, CONTRACT, "__init__.py").write_text(
            '"""Messages and stubs of the API, made from proto/sasq/v1."""\n')


class SourceWithContract(sdist):
    """Adds the contract, which lies outside of this folder."""

    def make_release_tree(self, base_dir, files):
        super().make_release_tree(base_dir, files)
        shutil.copytree(PROTO / CONTRACT, pathlib.Path(base_dir, "proto", CONTRACT), dirs_exist_ok=True)


setup(cmdclass={"build_py": BuildWithStubs, "sdist": SourceWithContract})
