// What every JobStore says when it refuses.
#ifndef SASQ_SERVER_JOB_STORE_ERRORS_H_
#define SASQ_SERVER_JOB_STORE_ERRORS_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "server/job_record.h"

namespace sasq {

// NOT_FOUND (JOB_NOT_FOUND).
absl::Status JobNotFound(absl::string_view id);
// ALREADY_EXISTS (REQUEST_ID_REUSED): `stored` has the request id and another spec.
absl::Status RequestIdReused(const JobRecord& stored);
// RESOURCE_EXHAUSTED (TENANT_QUEUE_FULL) with a google.rpc.QuotaFailure.
absl::Status TenantQueueFull(absl::string_view tenant, int64_t max_queued);

}  // namespace sasq

#endif  // SASQ_SERVER_JOB_STORE_ERRORS_H_
