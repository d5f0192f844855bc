#include "client/commands/submit.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/commands/describe.h"
#include "client/commands/transfer_bar.h"
#include "client/job_name.h"
#include "client/spec_uploads.h"
#include "client/table.h"
#include "client/text.h"
#include "client/upload.h"
#include "common/status_macros.h"

namespace sasq {
namespace {

// Uploads what the service lacks.
absl::Status SendUploads(const CommandContext& context, const std::vector<UploadFile>& files) {
  SASQ_ASSIGN_OR_RETURN(const std::vector<UploadFile> missing, FindMissing(context.client, files));
  if (!files.empty()) {
    context.console.Note(absl::StrCat("the service has ", files.size() - missing.size(), " of ",
                                      files.size(), " files to upload"));
  }
  for (const UploadFile& file : missing) {
    TransferBar bar(context, file.content.path(), file.content.size_bytes());
    Reconnector reconnector =
        context.MakeReconnector([&bar](const std::string& line) { bar.Note(line); });
    SASQ_RETURN_IF_ERROR(
        SendFile(context.client, file, reconnector, [&bar](int64_t bytes) { bar.Update(bytes); }));
    bar.Note(
        absl::StrCat("uploaded ", file.content.path(), ", ", BytesText(file.content.size_bytes())));
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::SubmitJobResponse> Send(const CommandContext& context,
                                           const SpecArguments& arguments,
                                           const std::string& request_id, bool validate_only) {
  v1::SubmitJobRequest request;
  v1::JobSpec& spec = *request.mutable_spec();
  SASQ_ASSIGN_OR_RETURN(spec, BuildSpec(arguments));
  SASQ_ASSIGN_OR_RETURN(const std::vector<UploadFile> files,
                        NameUploads(&spec, [&context](const std::string& path) {
                          context.console.Note("reading " + path);
                        }));
  if (!validate_only) SASQ_RETURN_IF_ERROR(SendUploads(context, files));
  request.set_request_id(request_id);
  request.set_validate_only(validate_only);
  absl::StatusOr<v1::SubmitJobResponse> response = context.client.SubmitJob(request);
  if (!response.ok()) return NameFlags(response.status());
  return response;
}

std::string PlanText(const CommandContext& context, const v1::SubmitJobResponse& response) {
  const v1::Plan& plan = response.plan();
  std::vector<std::pair<std::string, TableCell>> pairs = DescribeSpec(response.job().spec());
  if (!plan.model_readable()) {
    pairs.push_back({"estimate",
                     {"none: the service cannot read the model's config.json; the "
                      "worker will check the rest",
                      TextColor::kYellow}});
  } else {
    const std::string duration =
        plan.has_duration() ? absl::StrCat("about ",
                                           DurationText(absl::Seconds(plan.duration().seconds()) +
                                                        absl::Nanoseconds(plan.duration().nanos())),
                                           " on the fastest connected worker")
                            : "unknown while no worker is connected";
    pairs.push_back({"architecture", plan.architecture()});
    pairs.push_back({"parameters", CountText(static_cast<double>(plan.parameter_count()))});
    pairs.push_back({"sites", absl::StrCat(plan.site_count(), ", one scale each")});
    pairs.push_back({"tokens", CountText(static_cast<double>(plan.token_count()))});
    pairs.push_back({"arithmetic", CountText(plan.flop_count()) + "FLOP"});
    pairs.push_back({"memory", "about " + BytesText(plan.memory_bytes())});
    pairs.push_back({"time", duration});
  }
  return RenderKeyValues(pairs, context.console.out.style());
}

}  // namespace

absl::StatusOr<ExitCode> RunSubmit(const CommandContext& context, const SubmitOptions& options) {
  SASQ_ASSIGN_OR_RETURN(const v1::SubmitJobResponse response,
                        Send(context, options.spec, options.request_id, /*validate_only=*/false));
  const v1::Job& job = response.job();
  const std::string name = CleanLine(job.name());
  if (options.wait) {
    context.console.Note("submitted " + name);
    return FollowToResult(context, name);
  }
  if (!context.wants_table()) {
    context.PrintMessage(job);
    return ExitCode::kOk;
  }
  context.console.out.WriteLine(name);
  context.console.Note(absl::StrCat(
      "submitted; `sasq watch ", ShortJobId(name), "` follows it",
      job.waiting_reason().empty() ? "" : ". It waits: ", CleanLine(job.waiting_reason())));
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> RunCompare(const CommandContext& context, const CompareOptions& options) {
  SubmitOptions submit;
  submit.spec = options.spec;
  submit.spec.compare = true;
  submit.request_id = options.request_id;
  submit.wait = !options.detach;
  return RunSubmit(context, submit);
}

absl::StatusOr<ExitCode> RunPlan(const CommandContext& context, const PlanOptions& options) {
  SASQ_ASSIGN_OR_RETURN(const v1::SubmitJobResponse response,
                        Send(context, options.spec, "", /*validate_only=*/true));
  if (context.wants_table()) {
    context.console.out.Write(PlanText(context, response));
  } else {
    context.PrintMessage(response);
  }
  return ExitCode::kOk;
}

}  // namespace sasq
