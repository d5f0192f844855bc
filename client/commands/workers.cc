#include "client/commands/workers.h"

#include "absl/strings/str_cat.h"
#include "client/enum_names.h"
#include "client/job_name.h"
#include "client/table.h"
#include "client/text.h"
#include "common/status_macros.h"

namespace sasq {

TextColor ColorOf(v1::WorkerState state) {
  switch (state) {
    case v1::WORKER_STATE_BUSY:
      return TextColor::kCyan;
    case v1::WORKER_STATE_IDLE:
      return TextColor::kGreen;
    case v1::WORKER_STATE_LOST:
      return TextColor::kRed;
    default:
      return TextColor::kYellow;
  }
}

std::string DeviceText(const v1::WorkerCapabilities& capabilities) {
  std::string text =
      absl::StrCat(ShortEnumName(v1::DeviceKind_descriptor(), capabilities.device_kind()), " ",
                   capabilities.device_name());
  if (capabilities.thread_count() > 0) {
    absl::StrAppend(&text, ", ", capabilities.thread_count(),
                    capabilities.thread_count() == 1 ? " thread" : " threads");
  }
  return absl::StrCat(text, ", ", capabilities.kernel_path());
}

absl::StatusOr<ExitCode> RunWorkers(const CommandContext& context) {
  SASQ_ASSIGN_OR_RETURN(const v1::ListWorkersResponse workers, context.client.ListWorkers());
  OutputStream& out = context.console.out;
  if (!context.wants_table()) {
    context.PrintMessage(workers);
    return ExitCode::kOk;
  }
  if (context.console.quiet) {
    for (const v1::Worker& worker : workers.workers()) out.WriteLine(CleanLine(worker.id()));
    return ExitCode::kOk;
  }
  if (workers.workers_size() == 0) {
    context.console.Note("no workers; start sasq-worker with this service's address");
    return ExitCode::kOk;
  }
  Table table({{"worker"},
               {"state"},
               {"job"},
               {"seen", Table::Align::kRight},
               {"memory", Table::Align::kRight},
               {"speed", Table::Align::kRight},
               {"version"},
               {"device", Table::Align::kLeft, /*may_shrink=*/true}});
  const absl::Time now = context.clock.Now();
  for (const v1::Worker& worker : workers.workers()) {
    const v1::WorkerCapabilities& capabilities = worker.capabilities();
    table.AddRow(
        {worker.id(),
         {ShortEnumName(v1::WorkerState_descriptor(), worker.state()), ColorOf(worker.state())},
         ShortJobId(worker.job()),
         DurationText(now - ToTime(worker.last_seen_time())) + " ago",
         BytesText(capabilities.memory_bytes()),
         CountText(capabilities.float_flops_per_second()) + "FLOP/s",
         worker.version(),
         DeviceText(capabilities)});
  }
  out.Write(table.Render(out.style(), out.Width()));
  return ExitCode::kOk;
}

}  // namespace sasq
