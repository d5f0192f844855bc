// Which local files a job may name with `file:`: those under folders that the operator allows.
#ifndef SASQ_QUANT_SOURCE_ALLOWED_ROOTS_H_
#define SASQ_QUANT_SOURCE_ALLOWED_ROOTS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sasq {

// Immutable, so thread-safe.
class AllowedRoots {
 public:
  // Everything.
  AllowedRoots() : AllowedRoots({"/"}) {}
  // `roots`: absolute paths, at least one; a `/` among them allows everything. One that does not
  // exist allows nothing until it is made. INVALID_ARGUMENT names the path.
  static absl::StatusOr<AllowedRoots> Create(const std::vector<std::string>& roots);
  // Nothing.
  static AllowedRoots None() { return AllowedRoots(std::vector<std::string>()); }

  // Whether an absolute path lies under a root by its name alone.
  bool Covers(absl::string_view path) const;

  // The file or folder that an absolute path leads to, all symbolic links followed.
  // PERMISSION_DENIED, naming the path and the roots, if it or what it leads to is outside of them.
  // A path that leads nowhere is returned as it is: whoever opens it says so.
  absl::StatusOr<std::string> Resolve(const std::string& path) const;

  // Resolve of a folder and of every file right in it.
  absl::StatusOr<std::string> ResolveFolder(const std::string& path) const;

  // The roots, for messages: `/srv/models, /srv/texts`, or `none`.
  std::string ToString() const;

 private:
  explicit AllowedRoots(std::vector<std::string> roots) : roots_(std::move(roots)) {}
  bool allows_everything() const;

  std::vector<std::string> roots_;
};

}  // namespace sasq

#endif  // SASQ_QUANT_SOURCE_ALLOWED_ROOTS_H_
