#include "quant/export/staged_folder.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/descriptor.h"
#include "common/file.h"
#include "common/status_macros.h"
#include "common/uid.h"

namespace sasq {
namespace {

namespace fs = std::filesystem;

constexpr char kTemplatesFolder[] = "additional_chat_templates";
// Weights in the forms that model folders hold, and their indices.
constexpr std::array<absl::string_view, 12> kWeightEndings = {
    ".safetensors", ".safetensors.index.json",
    ".bin",         ".bin.index.json",
    ".pt",          ".pth",
    ".gguf",        ".onnx",
    ".h5",          ".msgpack",
    ".ckpt",        ".tflite"};

std::string Normal(absl::string_view path) {
  while (path.size() > 1 && absl::ConsumeSuffix(&path, "/")) {
  }
  return fs::absolute(fs::path(std::string(path))).lexically_normal().string();
}

std::string ParentOf(const std::string& path) { return fs::path(path).parent_path().string(); }

absl::Status CheckReplaceable(const std::string& out, bool replace) {
  std::error_code error;
  const fs::file_status status = fs::status(out, error);
  if (status.type() == fs::file_type::not_found) return absl::OkStatus();
  if (error) return SystemError(error.value(), "look at", out);
  if (!fs::is_directory(status)) {
    return absl::FailedPreconditionError(
        absl::StrCat(out, " is there and is not a folder; choose another one"));
  }
  const bool is_empty = fs::is_empty(out, error);
  if (error) return SystemError(error.value(), "look into", out);
  if (is_empty) return absl::OkStatus();
  if (!replace) {
    return absl::FailedPreconditionError(
        absl::StrCat(out, " is not empty; choose another folder, or replace it with --force"));
  }
  if (fs::is_regular_file(fs::path(out) / "config.json", error)) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      out,
      " holds no config.json, so it is not a model that --force may replace; choose another "
      "folder, or empty it"));
}

absl::Status Rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) == 0) return absl::OkStatus();
  return SystemError(errno, absl::StrCat("rename ", from, " to"), to);
}

absl::Status SyncPath(const std::string& path, int flags) {
  const Descriptor opened(::open(path.c_str(), O_RDONLY | O_CLOEXEC | flags));
  if (opened.get() < 0 || ::fsync(opened.get()) != 0) return SystemError(errno, "sync", path);
  return absl::OkStatus();
}

bool IsCarriedOver(const std::string& name) {
  if (name[0] == '.' || name == "config.json" || name == "README.md") return false;
  return std::none_of(kWeightEndings.begin(), kWeightEndings.end(),
                      [&name](auto ending) { return absl::EndsWithIgnoreCase(name, ending); });
}

// Adds the names of regular files in `folder`, each behind `prefix`.
absl::Status ListFiles(const fs::path& folder, const std::string& prefix,
                       std::vector<std::string>& names) {
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code unreadable;  // a dangling link is no file
    const std::string name = entry->path().filename().string();
    if (entry->is_regular_file(unreadable) && IsCarriedOver(name)) names.push_back(prefix + name);
  }
  if (error) return SystemError(error.value(), "list", folder.string());
  return absl::OkStatus();
}

}  // namespace

StagedFolder::StagedFolder(std::string out, bool replace)
    : out_(std::move(out)), replace_(replace), staging_(absl::StrCat(out_, ".part-", NewUid())) {}

absl::StatusOr<std::unique_ptr<StagedFolder>> StagedFolder::Create(const std::string& out,
                                                                   bool replace) {
  std::unique_ptr<StagedFolder> folder(new StagedFolder(Normal(out), replace));
  SASQ_RETURN_IF_ERROR(CheckReplaceable(folder->out_, replace));
  SASQ_RETURN_IF_ERROR(MakeFolders(folder->staging_));
  return folder;
}

StagedFolder::~StagedFolder() {
  std::error_code unused;  // nothing better can be done about it
  if (!published_) fs::remove_all(staging_, unused);
}

absl::Status StagedFolder::CopyFile(const std::string& from, const std::string& name) {
  const std::string to = absl::StrCat(staging_, "/", name);
  SASQ_RETURN_IF_ERROR(MakeFolders(ParentOf(to)));
  std::error_code error;
  fs::copy_file(from, to, error);
  if (error) return SystemError(error.value(), absl::StrCat("copy ", from, " to"), to);
  return SyncPath(to, 0);
}

absl::Status StagedFolder::Publish() {
  SASQ_RETURN_IF_ERROR(CheckReplaceable(out_, replace_));
  std::error_code error;
  const std::string old = absl::StrCat(out_, ".old-", NewUid());
  const bool has_old = fs::exists(out_, error) && !fs::is_empty(out_, error);
  if (has_old) SASQ_RETURN_IF_ERROR(Rename(out_, old));
  if (absl::Status renamed = Rename(staging_, out_); !renamed.ok()) {
    if (has_old) SASQ_RETURN_IF_ERROR(Rename(old, out_));
    return renamed;
  }
  published_ = true;
  if (has_old) fs::remove_all(old, error);
  return SyncPath(ParentOf(out_), O_DIRECTORY);
}

absl::StatusOr<std::vector<std::string>> FilesToCarryOver(const std::string& folder) {
  std::vector<std::string> names;
  SASQ_RETURN_IF_ERROR(ListFiles(folder, "", names));
  const fs::path templates = fs::path(folder) / kTemplatesFolder;
  std::error_code error;
  if (fs::is_directory(templates, error)) {
    SASQ_RETURN_IF_ERROR(ListFiles(templates, absl::StrCat(kTemplatesFolder, "/"), names));
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace sasq
