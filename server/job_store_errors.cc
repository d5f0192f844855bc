#include "server/job_store_errors.h"

#include "absl/strings/str_cat.h"
#include "common/rpc_status.h"

namespace sasq {

absl::Status RequestIdReused(const JobRecord& stored) {
  return WithReason(absl::AlreadyExistsError(absl::StrCat(
                        "request_id \"", stored.request_id, "\" was used for ", stored.job.name(),
                        " with another spec; choose a new request_id")),
                    "REQUEST_ID_REUSED");
}

absl::Status TenantQueueFull(absl::string_view tenant, int64_t max_queued) {
  const std::string subject = tenant.empty() ? "service" : absl::StrCat("tenant:", tenant);
  return QuotaFailureStatus(
      {subject, absl::StrCat(max_queued,
                             " jobs are queued, which is the limit; wait for some of "
                             "them, cancel some, or ask for a larger "
                             "--max_queued_per_tenant")},
      "TENANT_QUEUE_FULL");
}

absl::Status BlobInRemoval(absl::string_view sha256) {
  return WithReason(
      absl::UnavailableError(absl::StrCat("blob ", sha256, " is being removed; try again")),
      "BLOB_IN_REMOVAL");
}

absl::Status StoredDataDamaged(absl::string_view what) {
  return WithReason(
      absl::DataLossError(
          absl::StrCat("the stored ", what, " cannot be read; restore the database from a backup")),
      "STORE_DAMAGED");
}

std::string RequestKey(const JobRecord& record) {
  return absl::StrCat(record.job.tenant(), "\n", record.request_id);
}

std::string RequestIdOfKey(const std::string& key) { return key.substr(key.find('\n') + 1); }

}  // namespace sasq
