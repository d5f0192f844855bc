#include "quant/format/safetensors.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status_macros.h"
#include "quant/format/json.h"
#include "quant/format/model_error.h"

namespace sasq {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr size_t kLengthBytes = 8;
constexpr size_t kAlignmentBytes = 8;
constexpr size_t kMaxDimensions = 64;
constexpr char kMetadataKey[] = "__metadata__";

uint64_t LoadLittleEndian64(absl::string_view bytes) {
  uint64_t value = 0;
  for (size_t i = kLengthBytes; i-- > 0;) value = value << 8 | static_cast<uint8_t>(bytes[i]);
  return value;
}

std::string StoreLittleEndian64(uint64_t value) {
  std::string bytes;
  for (size_t i = 0; i < kLengthBytes; ++i) bytes += static_cast<char>(value >> (8 * i) & 0xff);
  return bytes;
}

// The product of `shape` times the element size; nothing if it overflows or a dimension is
// negative.
std::optional<int64_t> SpanBytes(Dtype dtype, absl::Span<const int64_t> shape) {
  int64_t size_bytes = DtypeSizeBytes(dtype);
  for (const int64_t dimension : shape) {
    if (dimension < 0 || __builtin_mul_overflow(size_bytes, dimension, &size_bytes)) {
      return std::nullopt;
    }
  }
  return size_bytes;
}

// Reads an array of integers in 0..2^63-1; nothing if `key` holds anything else.
std::optional<std::vector<int64_t>> ReadSizes(const json& object, const char* key) {
  const auto array = object.find(key);
  if (array == object.end() || !array->is_array()) return std::nullopt;
  std::vector<int64_t> sizes;
  for (const json& item : *array) {
    if (!item.is_number_unsigned() || item.get<uint64_t>() > INT64_MAX) return std::nullopt;
    sizes.push_back(item.get<int64_t>());
  }
  return sizes;
}

// A tensor as its header entry tells it, checked against the `data` that it should lie in.
absl::StatusOr<TensorView> ReadEntry(const std::string& name, const json& entry,
                                     absl::string_view data) {
  const auto wrong = [&name](absl::string_view what) {
    return InvalidModel(absl::StrCat("tensor \"", name, "\": ", what));
  };
  if (!entry.is_object()) return wrong("its header entry is not an object");
  const auto dtype_name = entry.find("dtype");
  if (dtype_name == entry.end() || !dtype_name->is_string()) return wrong("has no dtype");
  const std::optional<Dtype> dtype = ParseDtype(dtype_name->get_ref<const std::string&>());
  if (!dtype) {
    return UnsupportedModel(absl::StrCat("tensor \"", name, "\": dtype ",
                                         dtype_name->get_ref<const std::string&>(),
                                         " is not known"));
  }
  std::optional<std::vector<int64_t>> shape = ReadSizes(entry, "shape");
  if (!shape || shape->size() > kMaxDimensions) {
    return wrong("shape is not an array of at most 64 sizes");
  }
  const std::optional<std::vector<int64_t>> offsets = ReadSizes(entry, "data_offsets");
  if (!offsets || offsets->size() != 2) return wrong("data_offsets is not an array of two offsets");
  const int64_t begin = (*offsets)[0];
  const int64_t end = (*offsets)[1];
  if (begin > end || static_cast<uint64_t>(end) > data.size()) {
    return wrong(absl::StrCat("data_offsets ", begin, "..", end, " lie outside the ", data.size(),
                              " bytes of data; the file is truncated or damaged"));
  }
  const std::optional<int64_t> wanted = SpanBytes(*dtype, *shape);
  if (wanted != end - begin) {
    return wrong(absl::StrCat("data_offsets span ", end - begin, " bytes, but shape [",
                              absl::StrJoin(*shape, ","), "] of ", DtypeName(*dtype), " takes ",
                              wanted ? absl::StrCat(*wanted) : "more than 2^63"));
  }
  TensorView tensor;
  tensor.name = name;
  tensor.dtype = *dtype;
  tensor.shape = *std::move(shape);
  tensor.bytes = data.substr(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
  return tensor;
}

// That the tensors follow each other without overlap or hole from the first byte of `data` to its
// last.
absl::Status CheckCoverage(const std::map<std::string, TensorView>& tensors,
                           absl::string_view data) {
  std::vector<const TensorView*> by_offset;
  by_offset.reserve(tensors.size());
  for (const auto& [name, tensor] : tensors) by_offset.push_back(&tensor);
  std::sort(by_offset.begin(), by_offset.end(), [](const TensorView* a, const TensorView* b) {
    return std::make_pair(a->bytes.data(), a->bytes.size()) <
           std::make_pair(b->bytes.data(), b->bytes.size());
  });
  const char* expected = data.data();
  for (const TensorView* tensor : by_offset) {
    if (tensor->bytes.data() != expected) {
      return InvalidModel(absl::StrCat(
          "tensor \"", tensor->name, "\" starts at byte ", tensor->bytes.data() - data.data(),
          " of the data, but the tensor before it ends at ", expected - data.data(),
          tensor->bytes.data() < expected ? ": they overlap" : ": there is a hole"));
    }
    expected += tensor->bytes.size();
  }
  if (expected != data.data() + data.size()) {
    return InvalidModel(absl::StrCat("the tensors end at byte ", expected - data.data(), " of ",
                                     data.size(), " bytes of data"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::map<std::string, std::string>> ReadMetadata(const json& entry) {
  std::map<std::string, std::string> metadata;
  if (!entry.is_object()) return InvalidModel("__metadata__ is not an object");
  for (const auto& [key, value] : entry.items()) {
    if (!value.is_string()) {
      return InvalidModel(absl::StrCat("__metadata__[\"", key, "\"] is not a string"));
    }
    metadata[key] = value.get<std::string>();
  }
  return metadata;
}

struct Contents {
  std::map<std::string, std::string> metadata;
  std::map<std::string, TensorView> tensors;  // without `file`
};

absl::StatusOr<Contents> ReadContents(absl::string_view bytes) {
  if (bytes.size() < kLengthBytes) {
    return InvalidModel(absl::StrCat("has ", bytes.size(), " bytes, want at least 8"));
  }
  const uint64_t header_bytes = LoadLittleEndian64(bytes);
  bytes.remove_prefix(kLengthBytes);
  if (header_bytes > static_cast<uint64_t>(kMaxSafetensorsHeaderBytes)) {
    return InvalidModel(absl::StrCat("says that its header has ", header_bytes,
                                     " bytes, want at most ", kMaxSafetensorsHeaderBytes,
                                     "; is it a safetensors file?"));
  }
  if (header_bytes > bytes.size()) {
    return InvalidModel(absl::StrCat("says that its header has ", header_bytes, " bytes, but only ",
                                     bytes.size(), " follow; the file is truncated"));
  }
  SASQ_ASSIGN_OR_RETURN(const json header,
                        ParseJsonObject(bytes.substr(0, header_bytes), "its header"));
  const absl::string_view data = bytes.substr(header_bytes);
  Contents contents;
  for (const auto& [name, entry] : header.items()) {
    if (name == kMetadataKey) {
      SASQ_ASSIGN_OR_RETURN(contents.metadata, ReadMetadata(entry));
    } else {
      SASQ_ASSIGN_OR_RETURN(contents.tensors[name], ReadEntry(name, entry, data));
    }
  }
  SASQ_RETURN_IF_ERROR(CheckCoverage(contents.tensors, data));
  return contents;
}

absl::StatusOr<int64_t> EntryBytes(const TensorEntry& tensor) {
  if (tensor.name == kMetadataKey || tensor.shape.size() > kMaxDimensions) {
    return absl::InvalidArgumentError(absl::StrCat("tensor \"", tensor.name,
                                                   "\": its name is reserved or it has over 64 "
                                                   "dimensions"));
  }
  const std::optional<int64_t> size_bytes = SpanBytes(tensor.dtype, tensor.shape);
  if (size_bytes.has_value()) return *size_bytes;
  return absl::InvalidArgumentError(
      absl::StrCat("tensor \"", tensor.name, "\": shape [", absl::StrJoin(tensor.shape, ","),
                   "] of ", DtypeName(tensor.dtype), " takes over 2^63 bytes"));
}

// The file's first bytes: length and text, padded.
absl::StatusOr<std::string> HeaderBytes(const ordered_json& header) {
  std::string text;
  try {
    text = header.dump();
  } catch (const ordered_json::exception& error) {
    return absl::InvalidArgumentError(
        absl::StrCat("a tensor's name or metadata is not valid UTF-8: ", error.what()));
  }
  text.resize((text.size() + kAlignmentBytes - 1) / kAlignmentBytes * kAlignmentBytes, ' ');
  return absl::StrCat(StoreLittleEndian64(text.size()), text);
}

}  // namespace

int64_t TensorView::element_count() const {
  return static_cast<int64_t>(bytes.size()) / DtypeSizeBytes(dtype);
}

absl::StatusOr<std::unique_ptr<const SafetensorsFile>> SafetensorsFile::Open(
    const std::string& path) {
  absl::StatusOr<std::shared_ptr<const MappedFile>> mapped = MappedFile::Open(path);
  if (!mapped.ok()) return ModelFileError(mapped.status());
  absl::StatusOr<Contents> contents = ReadContents((*mapped)->bytes());
  if (!contents.ok()) return AtPath(contents.status(), path);
  std::unique_ptr<SafetensorsFile> file(new SafetensorsFile());
  file->file_ = *std::move(mapped);
  file->metadata_ = std::move(contents->metadata);
  file->tensors_ = std::move(contents->tensors);
  for (auto& [name, tensor] : file->tensors_) tensor.file = file->file_;
  return file;
}

absl::StatusOr<TensorView> SafetensorsFile::Find(absl::string_view name) const {
  const auto found = tensors_.find(std::string(name));
  if (found == tensors_.end()) {
    return InvalidModel(absl::StrCat(path(), " has no tensor \"", name, "\""));
  }
  return found->second;
}

absl::StatusOr<SafetensorsLayout> LayOutSafetensors(
    absl::Span<const TensorEntry> tensors, const std::map<std::string, std::string>& metadata) {
  std::vector<size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&tensors](size_t a, size_t b) {
    return std::tie(tensors[b].dtype, tensors[a].name) <
           std::tie(tensors[a].dtype, tensors[b].name);
  });
  ordered_json header = ordered_json::object();
  if (!metadata.empty()) header[kMetadataKey] = metadata;
  SafetensorsLayout layout;
  layout.begin_bytes.resize(tensors.size());
  int64_t offset = 0;
  for (const size_t i : order) {
    const TensorEntry& tensor = tensors[i];
    SASQ_ASSIGN_OR_RETURN(const int64_t size_bytes, EntryBytes(tensor));
    ordered_json& entry = header[tensor.name];
    if (!entry.is_null()) {
      return absl::InvalidArgumentError(
          absl::StrCat("tensor \"", tensor.name, "\" is there twice"));
    }
    entry["dtype"] = std::string(DtypeName(tensor.dtype));
    entry["shape"] = tensor.shape;
    entry["data_offsets"] = {offset, offset + size_bytes};
    layout.begin_bytes[i] = offset;
    offset += size_bytes;
  }
  SASQ_ASSIGN_OR_RETURN(layout.header, HeaderBytes(header));
  for (int64_t& begin : layout.begin_bytes) begin += static_cast<int64_t>(layout.header.size());
  layout.file_bytes = offset + static_cast<int64_t>(layout.header.size());
  return layout;
}

absl::StatusOr<std::string> SerializeSafetensors(
    absl::Span<const TensorToWrite> tensors, const std::map<std::string, std::string>& metadata) {
  std::vector<TensorEntry> entries;
  for (const TensorToWrite& tensor : tensors) {
    entries.push_back({tensor.name, tensor.dtype, tensor.shape});
    SASQ_ASSIGN_OR_RETURN(const int64_t wanted, EntryBytes(entries.back()));
    if (static_cast<uint64_t>(wanted) == tensor.bytes.size()) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "tensor \"", tensor.name, "\": ", tensor.bytes.size(), " bytes do not fit shape [",
        absl::StrJoin(tensor.shape, ","), "] of ", DtypeName(tensor.dtype)));
  }
  SASQ_ASSIGN_OR_RETURN(const SafetensorsLayout layout, LayOutSafetensors(entries, metadata));
  std::string file(static_cast<size_t>(layout.file_bytes), '\0');
  layout.header.copy(file.data(), layout.header.size());
  for (size_t i = 0; i < tensors.size(); ++i) {
    tensors[i].bytes.copy(file.data() + layout.begin_bytes[i], tensors[i].bytes.size());
  }
  return file;
}

}  // namespace sasq
