// A safetensors file: what is accepted lies within the file, and can be written and read again.
#include "quant/format/safetensors.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/input_file.h"

namespace sasq::testing {
namespace {

std::unique_ptr<const SafetensorsFile> Open(absl::string_view bytes) {
  const InputFile file(bytes);
  absl::StatusOr<std::unique_ptr<const SafetensorsFile>> opened =
      SafetensorsFile::Open(file.path());
  return opened.ok() ? *std::move(opened) : nullptr;
}

void Run(absl::string_view bytes) {
  const std::unique_ptr<const SafetensorsFile> file = Open(bytes);
  if (file == nullptr) return;
  std::vector<TensorToWrite> tensors;
  for (const auto& [name, tensor] : file->tensors()) {
    SASQ_CHECK(file->Find(name).ok());
    tensors.push_back({name, tensor.dtype, tensor.shape, tensor.bytes});
  }
  const absl::StatusOr<std::string> written = SerializeSafetensors(tensors, file->metadata());
  SASQ_CHECK(written.ok());
  const std::unique_ptr<const SafetensorsFile> again = Open(*written);
  SASQ_CHECK(again != nullptr && again->metadata() == file->metadata());
  for (const auto& [name, tensor] : file->tensors()) {
    const absl::StatusOr<TensorView> found = again->Find(name);
    SASQ_CHECK(found.ok() && found->dtype == tensor.dtype && found->shape == tensor.shape &&
               found->bytes == tensor.bytes);
  }
}

}  // namespace
}  // namespace sasq::testing

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  sasq::testing::Run(sasq::testing::TextOf(data, size));
  return 0;
}
