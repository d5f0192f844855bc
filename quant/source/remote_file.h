// A file that lies elsewhere, and how it is fetched whole.
#ifndef SASQ_QUANT_SOURCE_REMOTE_FILE_H_
#define SASQ_QUANT_SOURCE_REMOTE_FILE_H_

#include <functional>
#include <memory>
#include <stop_token>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/part_file.h"
#include "quant/source/retry.h"

namespace sasq {

// Gets pieces of a file, each with its offset, in order.
using TakePiece = absl::FunctionRef<absl::Status(int64_t offset, absl::string_view bytes)>;

struct RemoteFile {
  std::string name;         // plain, without a folder
  int64_t size_bytes = 0;   // as its source tells
  std::string sha256;       // 64 hexadecimal digits; empty: not told
  std::string git_sha1;     // of GitBlobSha1; empty: not told
  std::string cache_key;    // names this very content; plain
  std::string description;  // for messages: the URL, or what it is
  // One try to read from an offset to the end. The first piece may begin at 0 instead. UNAVAILABLE,
  // or RetryAfter, may be tried again; anything else is final.
  std::function<absl::Status(int64_t offset, const std::stop_token& stop, TakePiece take)> read;
  // Where a source tells the SHA-256 only while it is read: what `read` found. May be null.
  std::shared_ptr<const std::string> told_sha256;
};

// Fetches what the part lacks, as often as `retrier` allows, and checks length and digest.
// UNAVAILABLE when the tries are used up (wrong bytes count as a failed try, and are thrown away),
// RESOURCE_EXHAUSTED for a full disk, CANCELLED after a stop, else the reader's final status.
absl::Status FetchWhole(const RemoteFile& file, PartFile& part, Retrier& retrier,
                        const std::stop_token& stop);

}  // namespace sasq

#endif  // SASQ_QUANT_SOURCE_REMOTE_FILE_H_
