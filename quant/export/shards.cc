#include "quant/export/shards.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/descriptor.h"
#include "common/file.h"
#include "common/status_macros.h"

namespace sasq {
namespace {

constexpr size_t kWriteBytes = size_t{16} << 20;  // between two looks at the stop token

struct Shard {
  std::string file_name;
  absl::Span<const PlannedTensor> tensors;
};

int64_t SizeBytes(const PlannedTensor& tensor) {
  int64_t sum = 0;
  for (const TensorEntry& part : tensor.parts) {
    int64_t size_bytes = DtypeSizeBytes(part.dtype);
    for (const int64_t dimension : part.shape) size_bytes *= dimension;
    sum += size_bytes;
  }
  return sum;
}

std::vector<Shard> PlanShards(absl::Span<const PlannedTensor> tensors, int64_t max_shard_bytes) {
  std::vector<Shard> shards;
  size_t begin = 0;
  int64_t size_bytes = 0;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const int64_t tensor_bytes = SizeBytes(tensors[i]);
    if (i > begin && size_bytes + tensor_bytes > max_shard_bytes) {
      shards.push_back({"", tensors.subspan(begin, i - begin)});
      begin = i;
      size_bytes = 0;
    }
    size_bytes += tensor_bytes;
  }
  shards.push_back({"", tensors.subspan(begin)});
  for (size_t i = 0; i < shards.size(); ++i) {
    shards[i].file_name = shards.size() == 1 ? "model.safetensors"
                                             : absl::StrFormat("model-%05d-of-%05d.safetensors",
                                                               i + 1, shards.size());
  }
  return shards;
}

class Writer {
 public:
  Writer(const ShardOptions& options, int64_t total_bytes)
      : options_(options), total_bytes_(total_bytes) {}

  absl::Status WriteShard(const Shard& shard) {
    std::vector<TensorEntry> entries;
    for (const PlannedTensor& tensor : shard.tensors) {
      entries.insert(entries.end(), tensor.parts.begin(), tensor.parts.end());
    }
    SASQ_ASSIGN_OR_RETURN(const SafetensorsLayout layout,
                          LayOutSafetensors(entries, {{"format", "pt"}}));
    path_ = absl::StrCat(options_.folder, "/", shard.file_name);
    const Descriptor file(::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
    if (file.get() < 0) return SystemError(errno, "create", path_);
    // A full disk is found before the work; file systems that cannot tell say so while writing.
    if (::fallocate(file.get(), 0, 0, layout.file_bytes) != 0 && errno == ENOSPC) {
      return SystemError(errno, "make room for", path_);
    }
    total_bytes_ += static_cast<int64_t>(layout.header.size());
    SASQ_RETURN_IF_ERROR(WriteAt(file.get(), layout.header, 0));
    size_t first_part = 0;
    for (const PlannedTensor& tensor : shard.tensors) {
      const auto sink = [&](size_t part, int64_t offset_bytes, absl::string_view bytes) {
        return WriteAt(file.get(), bytes, layout.begin_bytes[first_part + part] + offset_bytes);
      };
      SASQ_RETURN_IF_ERROR(tensor.write(sink));
      first_part += tensor.parts.size();
    }
    if (::fsync(file.get()) != 0) return SystemError(errno, "sync", path_);
    return absl::OkStatus();
  }

 private:
  absl::Status WriteAt(int fd, absl::string_view bytes, int64_t offset_bytes) {
    while (!bytes.empty()) {
      if (options_.stop.stop_requested()) return absl::CancelledError("stopped while exporting");
      const ssize_t written =
          ::pwrite(fd, bytes.data(), std::min(bytes.size(), kWriteBytes), offset_bytes);
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return SystemError(errno, "write", path_);
      bytes.remove_prefix(static_cast<size_t>(written));
      offset_bytes += written;
      done_bytes_ += written;
      if (options_.on_progress) options_.on_progress(done_bytes_, total_bytes_);
    }
    return absl::OkStatus();
  }

  const ShardOptions& options_;
  int64_t total_bytes_;  // with the headers that are written
  std::string path_;     // of the shard that is being written
  int64_t done_bytes_ = 0;
};

std::string IndexJson(const std::vector<Shard>& shards, int64_t total_bytes) {
  nlohmann::json weight_map = nlohmann::json::object();
  for (const Shard& shard : shards) {
    for (const PlannedTensor& tensor : shard.tensors) {
      for (const TensorEntry& part : tensor.parts) weight_map[part.name] = shard.file_name;
    }
  }
  const nlohmann::json index = {{"metadata", {{"total_size", total_bytes}}},
                                {"weight_map", std::move(weight_map)}};
  return index.dump(2) + "\n";
}

}  // namespace

absl::StatusOr<int64_t> WriteShards(absl::Span<const PlannedTensor> tensors,
                                    const ShardOptions& options) {
  int64_t total_bytes = 0;
  for (const PlannedTensor& tensor : tensors) total_bytes += SizeBytes(tensor);
  const std::vector<Shard> shards = PlanShards(tensors, options.max_shard_bytes);
  Writer writer(options, total_bytes);
  for (const Shard& shard : shards) SASQ_RETURN_IF_ERROR(writer.WriteShard(shard));
  if (shards.size() > 1) {
    SASQ_RETURN_IF_ERROR(
        WriteFileDurably(absl::StrCat(options.folder, "/model.safetensors.index.json"),
                         IndexJson(shards, total_bytes)));
  }
  return total_bytes;
}

}  // namespace sasq
