#include "client/commands/jobs.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/commands/describe.h"
#include "client/comparison.h"
#include "client/enum_names.h"
#include "client/follow.h"
#include "client/job_name.h"
#include "client/progress.h"
#include "client/text.h"
#include "common/status_macros.h"

namespace sasq {
namespace {

constexpr int kPageSize = 200;

// The perplexity of the job's own recipe with its ratio to the float model, once measured; of a
// comparison the number of rows.
std::string ResultText(const v1::Job& job) {
  if (job.spec().kind() == v1::JOB_KIND_COMPARE && job.rows_size() > 0) {
    return absl::StrCat(job.rows_size(), job.rows_size() == 1 ? " row" : " rows");
  }
  for (const v1::ReportRow& row : job.rows()) {
    if (!IsRecipeRow(job, row)) continue;
    const double ratio = RatioToFloat(job, row);
    return ratio > 0 ? absl::StrFormat("%s (%.3f x fp)", PerplexityText(row.perplexity()), ratio)
                     : PerplexityText(row.perplexity());
  }
  return "";
}

std::string RunTimeText(const v1::Job& job, absl::Time now) {
  if (!job.has_start_time()) return "";
  const absl::Time end = job.has_end_time() ? ToTime(job.end_time()) : now;
  return DurationText(end - ToTime(job.start_time()));
}

std::string StateText(const v1::Job& job) {
  std::string text = ShortEnumName(v1::JobState_descriptor(), job.state());
  if (job.state() == v1::JOB_STATE_RUNNING) {
    absl::StrAppend(&text, absl::StrFormat(" %d%%", PercentOf(job)));
  }
  return text;
}

Table JobTable(const v1::ListJobsResponse& jobs, absl::Time now) {
  Table table({{"job"},
               {"name", Table::Align::kLeft, /*may_shrink=*/true},
               {"state"},
               {"created", Table::Align::kRight},
               {"run time", Table::Align::kRight},
               {"perplexity"}});
  for (const v1::Job& job : jobs.jobs()) {
    table.AddRow({ShortJobId(job.name()),
                  job.spec().display_name(),
                  {StateText(job), ColorOf(job.state())},
                  DurationText(now - ToTime(job.create_time())) + " ago",
                  RunTimeText(job, now),
                  ResultText(job)});
  }
  return table;
}

// Resolves what was typed and makes sure, without patience, that service and job are there.
absl::StatusOr<v1::Job> FindJob(const CommandContext& context, const std::string& typed) {
  SASQ_ASSIGN_OR_RETURN(const std::string name, ResolveJobName(context.client, typed));
  return context.client.GetJob(name);
}

}  // namespace

absl::StatusOr<v1::ListJobsResponse> ListUpTo(ServiceClient& client, v1::ListJobsRequest request,
                                              int limit) {
  v1::ListJobsResponse all;
  do {
    request.set_page_size(std::min(limit - all.jobs_size(), kPageSize));
    SASQ_ASSIGN_OR_RETURN(v1::ListJobsResponse page, client.ListJobs(request));
    for (v1::Job& job : *page.mutable_jobs()) {
      if (all.jobs_size() < limit) *all.add_jobs() = std::move(job);
    }
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty() && all.jobs_size() < limit);
  all.set_next_page_token(request.page_token());
  return all;
}

absl::StatusOr<ExitCode> RunGet(const CommandContext& context, const GetOptions& options) {
  SASQ_ASSIGN_OR_RETURN(const v1::Job job, FindJob(context, options.job));
  if (!context.wants_table()) {
    context.PrintMessage(job);
    return ExitCode::kOk;
  }
  OutputStream& out = context.console.out;
  out.Write(RenderKeyValues(DescribeJob(job, context.clock.Now()), out.style()));
  if (job.rows_size() > 0) {
    out.Write(absl::StrCat("\n", ComparisonTable(job).Render(out.style(), out.Width())));
  }
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> RunList(const CommandContext& context, const ListOptions& options) {
  v1::ListJobsRequest request;
  for (const std::string& state : options.states) {
    const absl::StatusOr<int> number = ParseEnum(v1::JobState_descriptor(), state);
    if (!number.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("--state ", number.status().message()));
    }
    request.add_states(static_cast<v1::JobState>(*number));
  }
  SASQ_ASSIGN_OR_RETURN(const v1::ListJobsResponse jobs,
                        ListUpTo(context.client, std::move(request), options.limit));
  OutputStream& out = context.console.out;
  if (!context.wants_table()) {
    context.PrintMessage(jobs);
  } else if (context.console.quiet) {
    for (const v1::Job& job : jobs.jobs()) out.WriteLine(CleanLine(job.name()));
  } else if (jobs.jobs_size() == 0) {
    context.console.Note("no jobs");
  } else {
    out.Write(JobTable(jobs, context.clock.Now()).Render(out.style(), out.Width()));
    if (!jobs.next_page_token().empty()) {
      context.console.Note(absl::StrCat("the newest ", options.limit, "; --limit shows more"));
    }
  }
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> RunWatch(const CommandContext& context, const WatchOptions& options) {
  SASQ_ASSIGN_OR_RETURN(const v1::Job job, FindJob(context, options.job));
  return FollowToResult(context, job.name());
}

absl::StatusOr<ExitCode> RunWait(const CommandContext& context, const WaitOptions& options) {
  const absl::Time deadline = context.clock.Now() + options.timeout;
  SASQ_ASSIGN_OR_RETURN(const v1::Job job, FindJob(context, options.job));
  return FollowToResult(context, job.name(), deadline);
}

absl::StatusOr<ExitCode> RunLogs(const CommandContext& context, const LogsOptions& options) {
  SASQ_ASSIGN_OR_RETURN(const v1::Job job, FindJob(context, options.job));
  Console& console = context.console;
  Reconnector reconnector =
      context.MakeReconnector([&console](const std::string& line) { console.Note(line); });
  std::string pending;  // the beginning of a character whose rest has not come yet
  const absl::Status status = FollowLog(
      context.client, job.name(), options.follow, reconnector,
      [&](absl::string_view bytes) -> absl::Status {
        bool written = false;
        if (console.out.is_terminal()) {
          absl::StrAppend(&pending, bytes);
          const size_t incomplete = IncompleteUtf8Suffix(pending);
          const std::string rest = pending.substr(pending.size() - incomplete);
          pending.resize(pending.size() - incomplete);
          written = console.out.Write(CleanLines(pending));
          pending = rest;
        } else {
          written = console.out.Write(bytes);
        }
        return written ? absl::OkStatus() : absl::AbortedError("standard output is closed");
      });
  console.out.Write(CleanLines(pending));
  if (console.out.error_number() != 0) return ExitCode::kOk;  // RunCommand says why
  SASQ_RETURN_IF_ERROR(status);
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> RunCancel(const CommandContext& context, const CancelOptions& options) {
  SASQ_ASSIGN_OR_RETURN(const std::string name, ResolveJobName(context.client, options.job));
  SASQ_ASSIGN_OR_RETURN(v1::Job job, context.client.CancelJob(name));
  if (options.wait) {
    SASQ_ASSIGN_OR_RETURN(job, FollowWithView(context, name, absl::InfiniteFuture()));
  }
  if (!context.wants_table()) context.PrintMessage(job);
  context.console.Note(
      absl::StrCat(name, " is ", ShortEnumName(v1::JobState_descriptor(), job.state())));
  if (IsEnded(job.state()) && job.state() != v1::JOB_STATE_CANCELLED) {
    return absl::FailedPreconditionError(
        absl::StrCat(name, " had ended before the cancel reached its worker"));
  }
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> RunDelete(const CommandContext& context, const DeleteOptions& options) {
  SASQ_ASSIGN_OR_RETURN(const std::string name, ResolveJobName(context.client, options.job));
  SASQ_RETURN_IF_ERROR(context.client.DeleteJob(name));
  context.console.Note("deleted " + name);
  return ExitCode::kOk;
}

}  // namespace sasq
