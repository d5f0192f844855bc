#include "client/commands/command.h"

#include <google/protobuf/timestamp.pb.h>

#include "absl/strings/str_cat.h"
#include "client/comparison.h"
#include "client/enum_names.h"
#include "client/follow.h"
#include "client/job_name.h"
#include "client/job_view.h"
#include "client/proto_output.h"
#include "client/text.h"
#include "common/status_macros.h"

namespace sasq {
namespace {

// What to do about a job that nobody waits for any more.
std::string LivesOn(const std::string& job_name) {
  const std::string id = ShortJobId(job_name);
  return absl::StrCat(job_name, " lives on: `sasq watch ", id, "` follows it, `sasq cancel ", id,
                      "` ends it");
}

absl::Duration RunTime(const v1::Job& job) {
  return ToTime(job.end_time()) -
         ToTime(job.has_start_time() ? job.start_time() : job.create_time());
}

void PrintResult(const CommandContext& context, const v1::Job& job) {
  Console& console = context.console;
  if (!context.wants_table()) {
    context.PrintMessage(job);
  } else if (job.rows_size() > 0) {
    if (console.out.is_terminal()) console.out.Write("\n");  // apart from the progress above
    console.out.Write(ComparisonTable(job).Render(console.out.style(), console.out.Width()));
    console.out.Write(FailureLines(job));
  }
  if (job.state() == v1::JOB_STATE_SUCCEEDED) {
    console.Note(absl::StrCat(job.name(), " succeeded in ", DurationText(RunTime(job)),
                              "; `sasq download ", ShortJobId(job.name()),
                              "` fetches its artifact"));
  } else if (IsGateFailure(job)) {
    console.err.WriteLine(absl::StrCat("sasq: ", CleanLine(job.error().message())));
    console.Note(absl::StrCat(job.name(), " failed; `sasq download ", ShortJobId(job.name()),
                              "` fetches its artifact, which is marked as rejected"));
  } else if (job.state() == v1::JOB_STATE_FAILED) {
    console.err.WriteLine(
        absl::StrCat("sasq: ", job.name(), " failed (",
                     ShortEnumName(v1::JobFailureReason_descriptor(), job.error().reason()),
                     "): ", CleanLine(job.error().message())));
  } else {
    console.err.WriteLine(absl::StrCat("sasq: ", job.name(), " was cancelled"));
  }
}

}  // namespace

void CommandContext::PrintMessage(const google::protobuf::Message& message) const {
  console.out.Write(FormatJson(ToJson(message), globals.output));
}

Reconnector CommandContext::MakeReconnector(std::function<void(const std::string&)> note,
                                            absl::Time deadline) const {
  return Reconnector({.give_up_after = globals.reconnect_timeout, .deadline = deadline}, &clock,
                     client.interrupt(), std::move(note));
}

std::string TimeText(const google::protobuf::Timestamp& time) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%S", ToTime(time), absl::LocalTimeZone());
}

absl::Time ToTime(const google::protobuf::Timestamp& time) {
  return absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
}

TextColor ColorOf(v1::JobState state) {
  switch (state) {
    case v1::JOB_STATE_SUCCEEDED:
      return TextColor::kGreen;
    case v1::JOB_STATE_FAILED:
      return TextColor::kRed;
    case v1::JOB_STATE_RUNNING:
      return TextColor::kCyan;
    case v1::JOB_STATE_CANCELLING:
    case v1::JOB_STATE_CANCELLED:
      return TextColor::kYellow;
    default:
      return TextColor::kPlain;
  }
}

absl::StatusOr<v1::Job> FollowWithView(const CommandContext& context, const std::string& job_name,
                                       absl::Time deadline) {
  JobView view(&context.console, &context.clock);
  Reconnector reconnector =
      context.MakeReconnector([&view](const std::string& line) { view.Note(line); }, deadline);
  return FollowJob(context.client, job_name, reconnector,
                   [&view](const v1::Job& job) { view.Show(job); });
}

absl::StatusOr<ExitCode> FollowToResult(const CommandContext& context, const std::string& job_name,
                                        absl::Time deadline) {
  const absl::StatusOr<v1::Job> job = FollowWithView(context, job_name, deadline);
  if (job.ok()) {
    PrintResult(context, *job);
    return ExitCodeOf(*job);
  }
  // A job that does not exist does not live on.
  if (absl::IsNotFound(job.status()) || absl::IsInvalidArgument(job.status())) return job.status();
  absl::Status status(job.status().code(),
                      absl::StrCat(job.status().message(), "; ", LivesOn(job_name)));
  job.status().ForEachPayload([&status](absl::string_view url, const absl::Cord& payload) {
    status.SetPayload(url, payload);
  });
  return status;
}

}  // namespace sasq
