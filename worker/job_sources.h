// The sources of a job: fetched, and with failures in the words of the API.
#ifndef SASQ_WORKER_JOB_SOURCES_H_
#define SASQ_WORKER_JOB_SOURCES_H_

#include <stop_token>

#include "absl/status/statusor.h"
#include "quant/source/source_fetcher.h"
#include "sasq/v1/job_spec.pb.h"

namespace sasq {

// Errors carry a reason: INVALID_MODEL or INVALID_TEXT where another try does not help,
// SOURCE_UNAVAILABLE where it may, DISK_FULL; CANCELLED has none. One thread.
class JobSources {
 public:
  // `log` gets lines for the job's log. What is referred to outlives this.
  JobSources(SourceFetcher& fetcher, SourceFetcher::Log log)
      : fetcher_(fetcher), log_(std::move(log)) {}

  absl::StatusOr<FetchedSource> FetchModel(const v1::ModelSource& model,
                                           const std::stop_token& stop);
  absl::StatusOr<FetchedSource> FetchText(const v1::TextSource& text, const std::stop_token& stop);

 private:
  SourceFetcher& fetcher_;
  const SourceFetcher::Log log_;
};

}  // namespace sasq

#endif  // SASQ_WORKER_JOB_SOURCES_H_
