#include "worker/job_sources.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/rpc_status.h"

namespace sasq {
namespace {

UploadedContent ContentOf(const v1::UploadedFile& file) {
  return {file.path(), file.sha256(), file.size_bytes()};
}

// `final_reason`: of an error that another try does not mend.
absl::StatusOr<FetchedSource> WithJobReason(absl::StatusOr<FetchedSource> source,
                                            absl::string_view uri, const char* final_reason) {
  if (source.ok() || absl::IsCancelled(source.status()) || !ReasonOf(source.status()).empty()) {
    return source;
  }
  const absl::Status status(source.status().code(),
                            absl::StrCat(uri, ": ", source.status().message()));
  switch (status.code()) {
    case absl::StatusCode::kResourceExhausted:
      return WithReason(status, "DISK_FULL");
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kAborted:
      return WithReason(status, "SOURCE_UNAVAILABLE");
    default:
      return WithReason(status, final_reason);
  }
}

}  // namespace

absl::StatusOr<FetchedSource> JobSources::FetchModel(const v1::ModelSource& model,
                                                     const std::stop_token& stop) {
  std::vector<UploadedContent> files;
  for (const v1::UploadedFile& file : model.files()) files.push_back(ContentOf(file));
  return WithJobReason(fetcher_.Fetch(model.uri(), SourceKind::kModel, files, stop, log_),
                       model.uri(), "INVALID_MODEL");
}

absl::StatusOr<FetchedSource> JobSources::FetchText(const v1::TextSource& text,
                                                    const std::stop_token& stop) {
  std::vector<UploadedContent> files;
  if (text.has_file()) files.push_back(ContentOf(text.file()));
  return WithJobReason(fetcher_.Fetch(text.uri(), SourceKind::kText, files, stop, log_), text.uri(),
                       "INVALID_TEXT");
}

}  // namespace sasq
