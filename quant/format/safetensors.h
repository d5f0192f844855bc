// The safetensors format (https://github.com/huggingface/safetensors): an 8-byte little-endian
// header length, a JSON header {"name": {"dtype", "shape", "data_offsets": [begin, end]}, ...,
// "__metadata__": {...}}, then the tensors' bytes, little-endian, in row-major order. Offsets count
// from the end of the header.
#ifndef SASQ_QUANT_FORMAT_SAFETENSORS_H_
#define SASQ_QUANT_FORMAT_SAFETENSORS_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/file.h"
#include "quant/format/dtype.h"

namespace sasq {

// Longest JSON header that is read, as in the reference implementation.
inline constexpr int64_t kMaxSafetensorsHeaderBytes = 100'000'000;

// One tensor of a mapped file. Copies are cheap; each keeps the mapping alive.
struct TensorView {
  std::string name;
  Dtype dtype = Dtype::kF32;
  std::vector<int64_t> shape;  // empty for a scalar
  // element_count() * DtypeSizeBytes(dtype) bytes. May lie at any address: files need not align
  // their tensors, so copy elements with memcpy rather than through a cast pointer.
  absl::string_view bytes;
  std::shared_ptr<const MappedFile> file;  // what `bytes` points into

  int64_t element_count() const;
};

// A safetensors file, mapped and checked. The header is verified whole before anything is handed
// out: every span lies inside the file and fits its dtype and shape, and the spans cover the file
// without overlap or hole. Immutable, so thread-safe. The file must not shrink while it is mapped
// (the process would get SIGBUS); replacing it by rename is safe.
class SafetensorsFile {
 public:
  // Errors: INVALID_ARGUMENT (INVALID_MODEL) if the file is missing, truncated or lies about
  // itself; UNAVAILABLE if it cannot be mapped.
  static absl::StatusOr<std::unique_ptr<const SafetensorsFile>> Open(const std::string& path);

  const std::string& path() const { return file_->path(); }
  absl::string_view bytes() const { return file_->bytes(); }  // the whole file
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  const std::map<std::string, TensorView>& tensors() const { return tensors_; }

  // INVALID_ARGUMENT (INVALID_MODEL), naming file and tensor, if it is not there.
  absl::StatusOr<TensorView> Find(absl::string_view name) const;

 private:
  SafetensorsFile() = default;

  std::shared_ptr<const MappedFile> file_;
  std::map<std::string, std::string> metadata_;
  std::map<std::string, TensorView> tensors_;
};

// A tensor of a file that is to be written.
struct TensorEntry {
  std::string name;
  Dtype dtype = Dtype::kF32;
  std::vector<int64_t> shape;
};

// Where everything of a file lies, so that it can be written in any order.
struct SafetensorsLayout {
  std::string header;  // the file's first bytes
  std::vector<int64_t>
      begin_bytes;  // of each tensor's bytes in the file, in the order of `tensors`
  int64_t file_bytes = 0;
};

// Lays a file out. Deterministic: equal contents give equal bytes, in whatever order they come.
// Larger elements first, then by name, header padded to 8 bytes: every tensor is aligned, and the
// bytes are those that the reference implementation writes (its metadata order is random; ours is
// sorted). INVALID_ARGUMENT for a name that is twice there, reserved or not UTF-8, or a shape whose
// size is beyond 2^63.
absl::StatusOr<SafetensorsLayout> LayOutSafetensors(
    absl::Span<const TensorEntry> tensors, const std::map<std::string, std::string>& metadata = {});

// A tensor to write. `bytes` is borrowed.
struct TensorToWrite {
  std::string name;
  Dtype dtype = Dtype::kF32;
  std::vector<int64_t> shape;
  absl::string_view bytes;
};

// The file of LayOutSafetensors as bytes. Errors as there, and for bytes that do not fit dtype and
// shape.
absl::StatusOr<std::string> SerializeSafetensors(
    absl::Span<const TensorToWrite> tensors,
    const std::map<std::string, std::string>& metadata = {});

}  // namespace sasq

#endif  // SASQ_QUANT_FORMAT_SAFETENSORS_H_
