// What every JobStore says when it refuses, and how it keeps request ids.
#ifndef SASQ_SERVER_JOB_STORE_ERRORS_H_
#define SASQ_SERVER_JOB_STORE_ERRORS_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "server/job_record.h"

namespace sasq {

// ALREADY_EXISTS (REQUEST_ID_REUSED): `stored` has the request id and another spec.
absl::Status RequestIdReused(const JobRecord& stored);
// RESOURCE_EXHAUSTED (TENANT_QUEUE_FULL) with a google.rpc.QuotaFailure.
absl::Status TenantQueueFull(absl::string_view tenant, int64_t max_queued);

// UNAVAILABLE (BLOB_IN_REMOVAL).
absl::Status BlobInRemoval(absl::string_view sha256);
// DATA_LOSS (STORE_DAMAGED). `what`: such as `job at position 7`.
absl::Status StoredDataDamaged(absl::string_view what);

// What a request id is kept by: it is unique within a tenant.
std::string RequestKey(const JobRecord& record);
std::string RequestIdOfKey(const std::string& key);

}  // namespace sasq

#endif  // SASQ_SERVER_JOB_STORE_ERRORS_H_
