// Writes the sample artifact into a folder, and that of a comparison into its folder `comparison`:
// for the Python tests, and for looking at the page.
#include <cstdio>
#include <filesystem>
#include <optional>

#include "common/file.h"
#include "common/status_macros.h"
#include "quant/artifact/artifact.h"
#include "tests/quant/artifact/sample.h"

namespace {

absl::Status Write(const std::string& folder, const std::optional<sasq::ScalePack>& pack,
                   const sasq::Report& report) {
  SASQ_ASSIGN_OR_RETURN(const std::vector<sasq::NamedFile> files,
                        sasq::AssembleArtifact(pack, report));
  std::filesystem::create_directories(folder);
  for (const sasq::NamedFile& file : files) {
    SASQ_RETURN_IF_ERROR(sasq::WriteFileDurably(folder + "/" + file.file_name, file.content));
  }
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
    return 2;
  }
  sasq::ScalePack pack = sasq::SamplePack(3);
  for (int layer = 0; layer < pack.layer_count; ++layer) {
    const float last = static_cast<float>(layer + 1);
    pack.smoothing_factors[{layer, sasq::SiteKind::kQkvIn}] = {0.25, 1, last};
  }
  absl::Status status = Write(argv[1], pack, sasq::SampleReport());
  status.Update(
      Write(std::string(argv[1]) + "/comparison", std::nullopt, sasq::SampleComparison()));
  if (!status.ok()) {
    std::fprintf(stderr, "%s\n", status.ToString().c_str());
    return 1;
  }
  return 0;
}
