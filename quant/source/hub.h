// Repositories of a Hugging Face compatible hub: what is in them, at which commit, and how it is
// read. The API is https://huggingface.co/docs/hub/api: `revision`, `tree` and `resolve`.
#ifndef SASQ_QUANT_SOURCE_HUB_H_
#define SASQ_QUANT_SOURCE_HUB_H_

#include <stop_token>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/http.h"
#include "quant/source/http_source.h"
#include "quant/source/remote_file.h"
#include "quant/source/retry.h"
#include "quant/source/source_uri.h"

namespace sasq {

// Files of one commit.
struct HubListing {
  std::string commit;
  std::vector<RemoteFile> files;  // right in the folder that was asked for
};

// Thread-compatible.
class HubClient {
 public:
  struct Options {
    std::string endpoint = "https://huggingface.co";  // without a slash at its end
    std::string token;                                // empty: none
    HttpLimits limits;
  };

  explicit HubClient(Options options) : options_(std::move(options)) {}

  // The files beside `uri`'s path (of a model: at the top), at the commit that its revision leads
  // to. Each is tried again as `retrier` allows. PERMISSION_DENIED, NOT_FOUND and
  // FAILED_PRECONDITION are final and name the remedy.
  absl::StatusOr<HubListing> List(const SourceUri& uri, Retrier& retrier,
                                  const std::stop_token& stop) const;

 private:
  HttpRequest Request(std::string url) const;
  HttpRemedies Remedies(const SourceUri& uri) const;
  absl::StatusOr<std::string> FindCommit(const SourceUri& uri, Retrier& retrier,
                                         const std::stop_token& stop) const;
  // Adds the files of one page of the tree.
  absl::Status AddPage(absl::string_view json, const SourceUri& uri, HubListing& listing) const;

  const Options options_;
};

}  // namespace sasq

#endif  // SASQ_QUANT_SOURCE_HUB_H_
