#include "client/commands/gate.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "client/enum_names.h"
#include "client/gate_flags.h"
#include "client/job_name.h"
#include "client/junit.h"
#include "client/table.h"
#include "client/text.h"
#include "common/file.h"
#include "common/status_macros.h"
#include "quant/gates/gates.h"

namespace sasq {
namespace {

// The gates to ask: those of the command line, or those of the job's spec.
absl::StatusOr<v1::QualityGates> ChooseGates(const v1::Job& job, const GateOptions& options) {
  if (options.gates.empty() && GatesOf(job.spec().gates()).empty() &&
      options.max_age == absl::InfiniteDuration()) {
    return absl::InvalidArgumentError(
        absl::StrCat(job.name(), " has no gates of its own; name some with --gate"));
  }
  if (options.gates.empty()) return job.spec().gates();
  v1::JobSpec asked;
  std::vector<FieldViolation> problems;
  SetGates(options.gates, asked, problems);
  SASQ_RETURN_IF_ERROR(FieldViolationsStatus(problems, "INVALID_FLAG"));
  return asked.gates();
}

absl::StatusOr<std::string> ChooseRow(const v1::Job& job, const GateOptions& options) {
  const std::string name = options.row.empty() ? job.spec().recipe().name() : options.row;
  if (name.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(job.name(), " is a comparison: choose one of its rows with --row"));
  }
  for (const v1::ReportRow& row : job.rows()) {
    if (row.name() == name) return name;
  }
  return absl::NotFoundError(absl::StrCat(job.name(), " has no row ", name, "; `sasq get ",
                                          ShortJobId(job.name()), "` shows its rows"));
}

// How old the result may be: a gate of this command alone, for a result does not age where it lies.
v1::GateResult JudgeAge(const v1::Job& job, absl::Duration max_age, absl::Time now) {
  const absl::Duration age = now - ToTime(job.end_time());
  v1::GateResult result;
  result.set_gate("max-age");
  result.set_value(absl::FDivDuration(age, absl::Hours(24)));
  result.set_bound(absl::FDivDuration(max_age, absl::Hours(24)));
  result.set_passed(age <= max_age);
  result.set_detail(absl::StrCat("days; the job ended ", TimeText(job.end_time())));
  return result;
}

}  // namespace

absl::StatusOr<ExitCode> RunGate(const CommandContext& context, const GateOptions& options) {
  SASQ_ASSIGN_OR_RETURN(const std::string name, ResolveJobName(context.client, options.job));
  SASQ_ASSIGN_OR_RETURN(v1::Job job, context.client.GetJob(name));
  if (job.artifact().empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat(name, " is ", ShortEnumName(v1::JobState_descriptor(), job.state()),
                     " and has no result; gates are asked of one that is finished"));
  }
  SASQ_ASSIGN_OR_RETURN(const v1::QualityGates gates, ChooseGates(job, options));
  SASQ_ASSIGN_OR_RETURN(const std::string row, ChooseRow(job, options));
  std::vector<v1::GateResult> results = EvaluateGates(job.spec(), gates, row, job.rows());
  if (options.max_age != absl::InfiniteDuration()) {
    results.push_back(JudgeAge(job, options.max_age, context.clock.Now()));
  }
  if (!options.junit.empty()) {
    SASQ_RETURN_IF_ERROR(WriteFileDurably(options.junit, JunitXml(job, row, results)));
  }
  if (context.wants_table()) {
    Table table({{"gate"}, {"says", Table::Align::kLeft, /*may_shrink=*/true}});
    for (const v1::GateResult& result : results) {
      table.AddRow({{result.passed() ? "passed" : "failed",
                     result.passed() ? TextColor::kGreen : TextColor::kRed},
                    DescribeGate(result)});
    }
    OutputStream& out = context.console.out;
    out.Write(table.Render(out.style(), out.Width()));
  } else {
    job.mutable_gate_results()->Assign(results.begin(), results.end());
    context.PrintMessage(job);
  }
  const std::string failure = GateFailure(results);
  if (failure.empty()) return ExitCode::kOk;
  context.console.err.WriteLine(absl::StrCat("sasq: ", CleanLine(failure)));
  return ExitCode::kGateFailed;
}

}  // namespace sasq
