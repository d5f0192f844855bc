#include "server/stores.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "server/folder_blob_store.h"
#include "server/s3_blob_store.h"
#include "server/sqlite_job_store.h"

namespace sasq {
namespace {

absl::Status OpenJobs(const StoreOptions& options, const DataFolder& folder, Stores& stores) {
  if (options.jobs == "sqlite") {
    SASQ_ASSIGN_OR_RETURN(stores.jobs,
                          SqliteJobStore::Create({.path = folder.database_path(),
                                                  .reader_count = options.thread_count,
                                                  .busy_timeout = options.busy_timeout}));
    return absl::OkStatus();
  }
  if (!absl::StartsWith(options.jobs, "postgres")) {
    return absl::InvalidArgumentError(
        "--job_store is neither `sqlite` nor `postgres://USER@HOST:PORT/DATABASE`; it is not "
        "shown, since it may hold a password");
  }
  if (options.blobs == "folder") {
    return absl::InvalidArgumentError(
        "--job_store is a database that other coordinators reach, and --blob_store a folder of "
        "this one, want --blob_store=s3://BUCKET/PREFIX");
  }
  SASQ_ASSIGN_OR_RETURN(std::unique_ptr<PostgresJobStore> jobs,
                        PostgresJobStore::Create({.connection = {.url = options.jobs},
                                                  .max_connections = options.thread_count,
                                                  .clock = options.clock}));
  stores.shared_jobs = jobs.get();
  stores.jobs = std::move(jobs);
  return absl::OkStatus();
}

absl::Status OpenBlobs(const StoreOptions& options, const DataFolder& folder, Stores& stores) {
  if (options.blobs == "folder") {
    SASQ_ASSIGN_OR_RETURN(stores.blobs, FolderBlobStore::Create(folder.blob_folder()));
    return absl::OkStatus();
  }
  S3BlobStore::Options s3;
  s3.url = options.blobs;
  s3.folder = folder.scratch_folder();
  s3.s3 = options.s3;
  SASQ_ASSIGN_OR_RETURN(stores.blobs, S3BlobStore::Create(std::move(s3)));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Stores> OpenStores(const StoreOptions& options, const DataFolder& folder) {
  Stores stores;
  SASQ_RETURN_IF_ERROR(OpenJobs(options, folder, stores));
  SASQ_RETURN_IF_ERROR(OpenBlobs(options, folder, stores));
  return stores;
}

}  // namespace sasq
