// The stores that a coordinator keeps its state in, as its options name them.
#ifndef SASQ_SERVER_STORES_H_
#define SASQ_SERVER_STORES_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "quant/source/s3_bucket.h"
#include "server/blob_store.h"
#include "server/data_folder.h"
#include "server/job_store.h"
#include "server/postgres_job_store.h"

namespace sasq {

struct StoreOptions {
  std::string jobs = "sqlite";   // in the data folder; or postgres://USER@HOST/DATABASE
  std::string blobs = "folder";  // in the data folder; or s3://BUCKET/PREFIX
  S3Options s3;
  int thread_count = 4;                             // that use the stores
  absl::Duration busy_timeout = absl::Seconds(10);  // of SQLite, for locks of other processes
  const Clock* clock = Clock::Real();
};

struct Stores {
  std::unique_ptr<JobStore> jobs;
  PostgresJobStore* shared_jobs = nullptr;  // `jobs` if other coordinators may use it too
  std::unique_ptr<BlobStore> blobs;
};

// INVALID_ARGUMENT names the flag; else as of the stores' Create.
absl::StatusOr<Stores> OpenStores(const StoreOptions& options, const DataFolder& folder);

}  // namespace sasq

#endif  // SASQ_SERVER_STORES_H_
