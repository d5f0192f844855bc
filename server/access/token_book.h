// The tokens file: read, checked, and read again when it changes.
#ifndef SASQ_SERVER_ACCESS_TOKEN_BOOK_H_
#define SASQ_SERVER_ACCESS_TOKEN_BOOK_H_

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/mutex.h"
#include "sasq/server/v1/token_file.pb.h"

namespace sasq {

// Reads and checks a tokens file (JSON of sasq.server.v1.TokenFile). INVALID_ARGUMENT names the
// entry and what is wrong with it; PERMISSION_DENIED if everybody may write the file; otherwise as
// ReadFile.
absl::StatusOr<server::v1::TokenFile> ReadTokenFile(const std::string& path);

// Checks and writes it, readable by its owner alone.
absl::Status WriteTokenFile(const std::string& path, const server::v1::TokenFile& file);

// Thread-safe.
class TokenBook {
 public:
  static absl::StatusOr<std::unique_ptr<TokenBook>> Open(std::string path);

  // The record of an id, as the file last said; nullopt where there is none.
  std::optional<server::v1::TokenRecord> Find(absl::string_view id) const
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Reads the file again if it changed. Of a file that is gone or wrong it returns the status,
  // once, and keeps what it said before.
  // One call at a time.
  absl::Status Reload() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using Records = std::map<std::string, server::v1::TokenRecord, std::less<>>;

  explicit TokenBook(std::string path) : path_(std::move(path)) {}

  const std::string path_;
  std::optional<std::string> version_;  // of the file that was read last; one Reload at a time
  mutable Mutex mutex_;
  Records records_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sasq

#endif  // SASQ_SERVER_ACCESS_TOKEN_BOOK_H_
