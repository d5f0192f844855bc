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

std::string PlannedTime(const v1::Plan& plan) {
  if (!plan.has_duration()) return "unknown while no worker is connected";
  const absl::Duration duration =
      absl::Seconds(plan.duration().seconds()) + absl::Nanoseconds(plan.duration().nanos());
  return absl::StrCat("about ", DurationText(duration), " on the fastest connected worker");
}

// What the job reads, the rows that it measures, and what that takes.
std::string PlanText(const v1::SubmitJobResponse& response, const TextStyle& style, int width) {
  const v1::Plan& plan = response.plan();
  const v1::JobSpec& spec = response.job().spec();
  KeyValues pairs = DescribeInputs(spec);
  for (auto& pair : DescribeMeasures(spec)) pairs.push_back(std::move(pair));
  std::string text = RenderKeyValues(pairs, style);
  if (const Table rows = RecipeTable(spec); !rows.empty()) {
    absl::StrAppend(&text, "\n", rows.Render(style, width));
  }
  if (!plan.model_readable()) {
    return absl::StrCat(text, "\n",
                        style.Paint(TextColor::kYellow,
                                    "no estimate: the service cannot read the model's config.json; "
                                    "the worker will check the rest"),
                        "\n");
  }
  Table estimate({{"estimate"}, {"", Table::Align::kLeft, /*may_shrink=*/true}});
  estimate.AddRow(
      {std::string("model"),
       absl::StrCat(plan.architecture(), ", ",
                    CountText(static_cast<double>(plan.parameter_count())), " parameters")});
  estimate.AddRow({std::string("sites"), absl::StrCat(plan.site_count(), ", one scale each")});
  estimate.AddRow({std::string("tokens"), CountText(static_cast<double>(plan.token_count()))});
  estimate.AddRow({std::string("arithmetic"), CountText(plan.flop_count()) + "FLOP"});
  estimate.AddRow({std::string("memory"), "about " + BytesText(plan.memory_bytes())});
  estimate.AddRow({std::string("time"), PlannedTime(plan)});
  return absl::StrCat(text, "\n", estimate.Render(style, width));
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
    OutputStream& out = context.console.out;
    out.Write(PlanText(response, out.style(), out.Width()));
  } else {
    context.PrintMessage(response);
  }
  return ExitCode::kOk;
}

}  // namespace sasq
