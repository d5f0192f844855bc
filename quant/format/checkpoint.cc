#include "quant/format/checkpoint.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/file.h"
#include "common/sha256.h"
#include "common/status_macros.h"
#include "quant/format/json.h"
#include "quant/format/model_error.h"

namespace sasq {
namespace {

constexpr char kSingleFileName[] = "model.safetensors";
constexpr char kIndexName[] = "model.safetensors.index.json";
constexpr int64_t kMaxIndexBytes = 100'000'000;

// A shard's name must not lead out of the folder.
bool IsPlainFileName(absl::string_view name) {
  return !name.empty() && name != "." && name != ".." &&
         name.find('/') == absl::string_view::npos && name.find('\0') == absl::string_view::npos;
}

}  // namespace

absl::StatusOr<std::unique_ptr<const Checkpoint>> Checkpoint::Open(const std::string& folder) {
  std::unique_ptr<Checkpoint> checkpoint(new Checkpoint(folder));
  const std::string index_path = absl::StrCat(folder, "/", kIndexName);
  const absl::StatusOr<std::string> index = ReadFile(index_path, kMaxIndexBytes);
  if (index.ok()) {
    SASQ_RETURN_IF_ERROR(checkpoint->OpenShards(*index));
  } else if (absl::IsNotFound(index.status())) {
    SASQ_RETURN_IF_ERROR(checkpoint->OpenSingleFile());
  } else {
    return ModelFileError(index.status());
  }
  return checkpoint;
}

absl::Status Checkpoint::OpenSingleFile() {
  SASQ_ASSIGN_OR_RETURN(auto file,
                        SafetensorsFile::Open(absl::StrCat(folder_, "/", kSingleFileName)));
  for (const auto& [name, tensor] : file->tensors()) file_of_tensor_[name] = file.get();
  files_[kSingleFileName] = std::move(file);
  return absl::OkStatus();
}

absl::Status Checkpoint::OpenShards(absl::string_view index_json) {
  const std::string index_path = absl::StrCat(folder_, "/", kIndexName);
  SASQ_ASSIGN_OR_RETURN(const nlohmann::json index, ParseJsonObject(index_json, index_path));
  const auto weight_map = index.find("weight_map");
  if (weight_map == index.end() || !weight_map->is_object() || weight_map->empty()) {
    return InvalidModel(absl::StrCat(
        index_path,
        ": weight_map is missing or empty, want an object of tensor name to file name"));
  }
  for (const auto& [tensor_name, value] : weight_map->items()) {
    if (!value.is_string() || !IsPlainFileName(value.get_ref<const std::string&>())) {
      return InvalidModel(absl::StrCat(index_path, ": weight_map[\"", tensor_name,
                                       "\"] is not the name of a file in the same folder"));
    }
    const std::string& file_name = value.get_ref<const std::string&>();
    std::unique_ptr<const SafetensorsFile>& file = files_[file_name];
    if (file == nullptr) {
      SASQ_ASSIGN_OR_RETURN(file, SafetensorsFile::Open(absl::StrCat(folder_, "/", file_name)));
    }
    if (!file->tensors().contains(tensor_name)) {
      return InvalidModel(absl::StrCat(index_path, " says that \"", tensor_name, "\" is in ",
                                       file_name,
                                       ", but it is not there; the folder mixes files "
                                       "of different checkpoints or its download is incomplete"));
    }
    file_of_tensor_[tensor_name] = file.get();
  }
  return absl::OkStatus();
}

absl::StatusOr<TensorView> Checkpoint::Find(absl::string_view name) const {
  const auto found = file_of_tensor_.find(name);
  if (found == file_of_tensor_.end()) {
    return InvalidModel(absl::StrCat("the weights in ", folder_, " have no tensor \"", name,
                                     "\"; config.json promises it, so the two do not belong "
                                     "together or a file is missing"));
  }
  return found->second->Find(name);
}

bool Checkpoint::Contains(absl::string_view name) const { return file_of_tensor_.contains(name); }

std::vector<std::string> Checkpoint::names() const {
  std::vector<std::string> names;
  for (const auto& [name, file] : file_of_tensor_) names.push_back(name);
  return names;
}

std::vector<std::string> Checkpoint::file_names() const {
  std::vector<std::string> names;
  for (const auto& [name, file] : files_) names.push_back(name);
  return names;
}

std::string Checkpoint::Digest() const {
  MutexLock lock(&digest_mutex_);
  if (digest_.empty()) {
    Sha256 sha256;
    for (const auto& [name, file] : files_) {
      sha256.Update(absl::StrCat(name, absl::string_view("\0", 1), Sha256Hex(file->bytes()), "\n"));
    }
    digest_ = sha256.FinishHex();
  }
  return digest_;
}

}  // namespace sasq
