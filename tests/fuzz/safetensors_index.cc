// model.safetensors.index.json beside two sound shards: what is accepted names tensors that are
// there.
#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "common/uid.h"
#include "quant/format/checkpoint.h"
#include "tests/fuzz/fuzz_target.h"

namespace sasq::testing {
namespace {

namespace fs = std::filesystem;

// A model's folder that is gone when the program ends.
class Folder {
 public:
  Folder() : path_(fs::temp_directory_path() / absl::StrCat("sasq-fuzz-", NewUid())) {
    fs::create_directory(path_);
    Write("a.safetensors", Shard("x"));
    Write("b.safetensors", Shard("y"));
  }
  ~Folder() {
    std::error_code unused;
    fs::remove_all(path_, unused);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::string path() const { return path_.string(); }

  void Write(const char* name, absl::string_view bytes) const {
    std::ofstream file(path_ / name, std::ios::binary | std::ios::trunc);
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    SASQ_CHECK(file.good());
  }

 private:
  static std::string Shard(const char* tensor) {
    return SerializeSafetensors({{{tensor, Dtype::kI8, {4}, "1234"}}}, {}).value();
  }

  const fs::path path_;
};

void Run(absl::string_view index) {
  static const Folder folder;
  folder.Write("model.safetensors.index.json", index);
  const absl::StatusOr<std::unique_ptr<const Checkpoint>> opened = Checkpoint::Open(folder.path());
  if (!opened.ok()) return;
  const Checkpoint& checkpoint = **opened;
  for (const std::string& name : checkpoint.names()) {
    SASQ_CHECK(checkpoint.Contains(name) && checkpoint.Find(name)->bytes == "1234");
  }
  SASQ_CHECK(checkpoint.Digest().size() == 64);
}

}  // namespace
}  // namespace sasq::testing

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  sasq::testing::Run(sasq::testing::TextOf(data, size));
  return 0;
}
