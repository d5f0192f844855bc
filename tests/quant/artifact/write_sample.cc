// Writes the sample artifact into a folder: for the Python tests, and for looking at the page.
#include <cstdio>

#include "common/file.h"
#include "quant/artifact/artifact.h"
#include "tests/quant/artifact/sample.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
    return 2;
  }
  auto files = sasq::AssembleArtifact(sasq::SamplePack(3), sasq::SampleReport());
  if (!files.ok()) {
    std::fprintf(stderr, "%s\n", files.status().ToString().c_str());
    return 1;
  }
  for (const sasq::NamedFile& file : *files) {
    const std::string path = std::string(argv[1]) + "/" + file.file_name;
    if (absl::Status status = sasq::WriteFileDurably(path, file.content); !status.ok()) {
      std::fprintf(stderr, "%s\n", status.ToString().c_str());
      return 1;
    }
  }
  return 0;
}
