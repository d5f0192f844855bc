#include "quant/source/allowed_roots.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/file.h"
#include "common/status_macros.h"

namespace sasq {
namespace {

std::string WithoutSlash(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

bool IsUnder(absl::string_view path, absl::string_view root) {
  if (root == "/") return true;
  return absl::ConsumePrefix(&path, root) && (path.empty() || path[0] == '/');
}

}  // namespace

absl::StatusOr<AllowedRoots> AllowedRoots::Create(const std::vector<std::string>& roots) {
  std::vector<std::string> normal;
  for (const std::string& root : roots) {
    const std::filesystem::path path(root);
    if (!path.is_absolute()) {
      return absl::InvalidArgumentError(
          absl::StrCat("--allowed_roots has \"", root, "\", want absolute paths"));
    }
    normal.push_back(WithoutSlash(path.lexically_normal().string()));
  }
  if (normal.empty()) {
    return absl::InvalidArgumentError(
        "--allowed_roots is empty, want folders that jobs may read, or / for all");
  }
  return AllowedRoots(std::move(normal));
}

bool AllowedRoots::allows_everything() const {
  return std::find(roots_.begin(), roots_.end(), "/") != roots_.end();
}

bool AllowedRoots::Covers(absl::string_view path) const {
  const std::string normal = std::filesystem::path(std::string(path)).lexically_normal().string();
  return std::any_of(roots_.begin(), roots_.end(),
                     [&normal](const std::string& root) { return IsUnder(normal, root); });
}

absl::StatusOr<std::string> AllowedRoots::Resolve(const std::string& path) const {
  if (allows_everything()) return path;
  bool allowed = Covers(path);
  std::string target = path;
  std::error_code error;
  if (allowed) {
    const std::filesystem::path canonical = std::filesystem::canonical(path, error);
    if (error == std::errc::no_such_file_or_directory) return path;
    if (error) return SystemError(error.value(), "resolve", path);
    target = canonical.string();
    // A root may be a link itself: what counts is where it leads.
    allowed = std::any_of(roots_.begin(), roots_.end(), [&](const std::string& root) {
      const std::filesystem::path real = std::filesystem::canonical(root, error);
      return !error && IsUnder(target, real.string());
    });
  }
  if (allowed) return target;
  return absl::PermissionDeniedError(
      absl::StrCat(path, " is outside of the folders that jobs may read (", ToString(),
                   "); move it there, or ask the operator for --allowed_roots"));
}

absl::StatusOr<std::string> AllowedRoots::ResolveFolder(const std::string& path) const {
  SASQ_ASSIGN_OR_RETURN(std::string folder, Resolve(path));
  if (allows_everything()) return folder;
  std::error_code error;
  std::filesystem::directory_iterator entry(folder, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    SASQ_RETURN_IF_ERROR(Resolve(entry->path().string()).status());
  }
  return folder;  // one that cannot be listed cannot be read either: whoever opens it says so
}

std::string AllowedRoots::ToString() const {
  return roots_.empty() ? "none" : absl::StrJoin(roots_, ", ");
}

}  // namespace sasq
