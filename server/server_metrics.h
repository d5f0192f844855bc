// The coordinator's metrics: names, labels and buckets in one place.
#ifndef SASQ_SERVER_SERVER_METRICS_H_
#define SASQ_SERVER_SERVER_METRICS_H_

#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/file.h"
#include "common/metrics.h"
#include "sasq/v1/quantization_service.pb.h"
#include "server/job_store.h"

namespace sasq {

// Thread-safe.
class ServerMetrics {
 public:
  // `registry` outlives this.
  explicit ServerMetrics(MetricRegistry& registry);

  void JobSubmitted();
  void AttemptBegan(absl::Duration queue_wait);
  void LeaseExpired();
  // A job took an earlier job's result.
  void ResultReused();
  // Counts an ended job by outcome and reason, what its gates said, and its time from first start
  // to end.
  void JobEnded(const v1::Job& job);

  // Sets the gauges that are read from the store and the registry now and then.
  void SetJobs(const JobStats& stats, absl::Time now);
  void SetWorkers(const std::vector<v1::Worker>& workers, absl::Time now);
  // Queued jobs by the device that they ask for, and those whose device none of `workers` has.
  void SetQueue(const JobStats& stats, const std::vector<v1::Worker>& workers);
  void SetBlobBytes(int64_t size_bytes);
  void SetBlobLimit(int64_t size_bytes);
  void SetDataDisk(const DiskSpace& space);
  void SetLeasePolls(size_t count);

  // `operation`: `download` of bytes, `upload` and `publish` (of an artifact) of whole blobs.
  void BlobBytes(const char* operation, size_t size_bytes);
  // `operation` is the verb of JobStore or BlobStore.
  void StoreOperation(const std::string& operation, absl::Duration duration,
                      const absl::Status& status);
  // `method` is service and method, `code` a gRPC code in words.
  void RpcEnded(const std::string& method, const std::string& code, absl::Duration duration);
  void StreamOpened(const std::string& method, int change);

 private:
  MetricRegistry::Counter& JobsFinished(v1::JobState outcome, const std::string& reason);
  MetricRegistry::Counter& GateResults(const std::string& gate, bool passed);
  MetricRegistry::Histogram& RunTime(v1::JobState outcome);

  MetricRegistry& registry_;
  MetricRegistry::Counter& submitted_;
  MetricRegistry::Counter& attempts_;
  MetricRegistry::Counter& lease_expiries_;
  MetricRegistry::Histogram& queue_wait_;
};

}  // namespace sasq

#endif  // SASQ_SERVER_SERVER_METRICS_H_
