#include "server/dispatch_validation.h"

#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/rpc_status.h"
#include "common/sha256.h"
#include "server/text_rules.h"
#include "server/timestamps.h"

namespace sasq {
namespace {

constexpr char kReason[] = "INVALID_REQUEST";
constexpr size_t kMaxRowNameBytes = 48;
constexpr absl::string_view kArtifactFiles[] = {"report.json", "report.html", "manifest.json"};

class Checker {
 public:
  absl::Status ToStatus() const { return FieldViolationsStatus(violations_, kReason); }

  void Add(absl::string_view field, absl::string_view description) {
    violations_.push_back({std::string(field), std::string(description)});
  }

  void Size(absl::string_view field, absl::string_view value, size_t max_bytes) {
    if (value.size() > max_bytes) {
      Add(field, absl::StrCat("has ", value.size(), " bytes, want at most ", max_bytes));
    }
  }

  // Something to show to people.
  void Text(absl::string_view field, absl::string_view value, size_t max_bytes) {
    Size(field, value, max_bytes);
    if (!IsPlainText(value)) Add(field, "holds control characters, want plain text");
  }

  void Id(absl::string_view field, absl::string_view value) {
    if (value.empty()) Add(field, absl::StrCat("is empty, want 1..", kMaxWorkerIdBytes, " bytes"));
    Text(field, value, kMaxWorkerIdBytes);
  }

  template <typename Rows>
  void ReportRows(absl::string_view field, const Rows& rows) {
    if (rows.size() > kMaxRows) {
      Add(field, absl::StrCat("has ", rows.size(), " entries, want at most ", kMaxRows));
      return;
    }
    for (int i = 0; i < rows.size(); ++i) {
      const bool known = v1::Method_IsValid(rows[i].method()) &&
                         rows[i].method() != v1::METHOD_UNSPECIFIED &&
                         v1::FirstToken_IsValid(rows[i].first_token()) &&
                         rows[i].first_token() != v1::FIRST_TOKEN_UNSPECIFIED;
      if (!known) Add(absl::StrCat(field, "[", i, "]"), "has no known method and first_token");
      if (!IsRowName(rows[i].name(), kMaxRowNameBytes)) {
        Add(absl::StrCat(field, "[", i, "].name"), "is not the name of a recipe");
      }
      Size(absl::StrCat(field, "[", i, "].failure"), rows[i].failure(), kMaxFailureBytes);
    }
  }

 private:
  std::vector<FieldViolation> violations_;
};

void CheckCapabilities(const v1::WorkerCapabilities& capabilities, Checker& check) {
  if (!v1::DeviceKind_IsValid(capabilities.device_kind()) ||
      capabilities.device_kind() == v1::DEVICE_KIND_UNSPECIFIED) {
    check.Add("capabilities.device_kind", "is required: DEVICE_KIND_CPU or DEVICE_KIND_CUDA");
  }
  if (capabilities.device_name().empty()) check.Add("capabilities.device_name", "is required");
  check.Text("capabilities.device_name", capabilities.device_name(), kMaxDeviceNameBytes);
  if (capabilities.memory_bytes() <= 0) {
    check.Add("capabilities.memory_bytes",
              absl::StrCat("is ", capabilities.memory_bytes(), ", want more than 0"));
  }
  if (capabilities.thread_count() < 0 ||
      (capabilities.thread_count() == 0 && capabilities.device_kind() == v1::DEVICE_KIND_CPU)) {
    check.Add("capabilities.thread_count",
              absl::StrCat("is ", capabilities.thread_count(), ", want 1 or more on a CPU"));
  }
  if (capabilities.kernel_path().empty()) check.Add("capabilities.kernel_path", "is required");
  check.Text("capabilities.kernel_path", capabilities.kernel_path(), kMaxWorkerIdBytes);
  const double speed = capabilities.float_flops_per_second();
  if (!(speed > 0) || std::isinf(speed)) {
    check.Add("capabilities.float_flops_per_second",
              absl::StrCat("is ", speed, ", want a finite number above 0"));
  }
}

void CheckFiles(const dispatch::v1::TaskSucceeded& succeeded, Checker& check) {
  if (succeeded.files_size() > kMaxArtifactFiles) {
    check.Add("succeeded.files", absl::StrCat("has ", succeeded.files_size(),
                                              " entries, want at most ", kMaxArtifactFiles));
    return;
  }
  std::set<std::string> names;
  size_t total_bytes = 0;
  for (int i = 0; i < succeeded.files_size(); ++i) {
    const dispatch::v1::ArtifactFile& file = succeeded.files(i);
    const std::string field = absl::StrCat("succeeded.files[", i, "].file_name");
    if (!IsFileName(file.file_name())) {
      check.Add(field, "is not a file name of 1..128 bytes of [A-Za-z0-9._-]");
    } else if (!names.insert(file.file_name()).second) {
      check.Add(field, absl::StrCat("is ", file.file_name(), ", which is there twice"));
    }
    total_bytes += file.content().size();
  }
  for (absl::string_view wanted : kArtifactFiles) {
    if (names.count(std::string(wanted)) == 0) {
      check.Add("succeeded.files", absl::StrCat("lacks ", wanted));
    }
  }
  if (total_bytes > kMaxArtifactBytes) {
    check.Add("succeeded.files", absl::StrCat("have ", total_bytes, " bytes in all, want at most ",
                                              kMaxArtifactBytes));
  }
}

}  // namespace

absl::Status CheckRegisterWorker(const dispatch::v1::RegisterWorkerRequest& request) {
  Checker check;
  check.Id("worker_id", request.worker_id());
  check.Id("instance_id", request.instance_id());
  check.Id("version", request.version());
  if (request.has_capabilities()) {
    CheckCapabilities(request.capabilities(), check);
  } else {
    check.Add("capabilities", "is required");
  }
  return check.ToStatus();
}

absl::Status CheckLeaseTask(const dispatch::v1::LeaseTaskRequest& request) {
  Checker check;
  if (ToDuration(request.wait()) < absl::ZeroDuration()) {
    check.Add("wait", absl::StrCat("is ", absl::FormatDuration(ToDuration(request.wait())),
                                   ", want 0 or more"));
  }
  return check.ToStatus();
}

absl::Status CheckHeartbeat(const dispatch::v1::HeartbeatRequest& request) {
  Checker check;
  check.Size("log_data", request.log_data(), kMaxLogDataBytes);
  check.Size("checkpoint", request.checkpoint(), kMaxCheckpointBytes);
  check.Size("best_scales", request.best_scales(), kMaxCheckpointBytes);
  if (!request.content_key().empty() && !IsSha256Hex(request.content_key())) {
    check.Add("content_key", "is not 64 lower-case hexadecimal digits");
  }
  check.Text("progress.subject", request.progress().subject(), kMaxSubjectBytes);
  check.ReportRows("rows", request.rows());
  return check.ToStatus();
}

absl::Status CheckCompleteTask(const dispatch::v1::CompleteTaskRequest& request) {
  Checker check;
  check.Size("log_data", request.log_data(), kMaxLogDataBytes);
  switch (request.outcome_case()) {
    case dispatch::v1::CompleteTaskRequest::OUTCOME_NOT_SET:
      check.Add("outcome", "is required: succeeded, failed, cancelled or handed_back");
      break;
    case dispatch::v1::CompleteTaskRequest::kSucceeded:
      check.ReportRows("succeeded.rows", request.succeeded().rows());
      CheckFiles(request.succeeded(), check);
      break;
    case dispatch::v1::CompleteTaskRequest::kHandedBack:
      check.Size("handed_back.checkpoint", request.handed_back().checkpoint(), kMaxCheckpointBytes);
      break;
    case dispatch::v1::CompleteTaskRequest::kFailed:
    case dispatch::v1::CompleteTaskRequest::kCancelled:
      break;
  }
  return check.ToStatus();
}

}  // namespace sasq
