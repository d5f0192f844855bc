#include "client/commands/top.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/commands/jobs.h"
#include "client/commands/top_view.h"
#include "client/full_screen.h"
#include "common/status_macros.h"

namespace sasq {
namespace {

constexpr int kMaxRunning = 1000;
constexpr int kMaxQueued = 1000;

absl::StatusOr<TopSnapshot> Look(ServiceClient& client) {
  TopSnapshot snapshot;
  v1::ListJobsRequest running, queued;
  running.add_states(v1::JOB_STATE_RUNNING);
  running.add_states(v1::JOB_STATE_CANCELLING);
  queued.add_states(v1::JOB_STATE_QUEUED);
  SASQ_ASSIGN_OR_RETURN(const v1::ListJobsResponse run, ListUpTo(client, running, kMaxRunning));
  SASQ_ASSIGN_OR_RETURN(const v1::ListJobsResponse wait, ListUpTo(client, queued, kMaxQueued));
  SASQ_ASSIGN_OR_RETURN(const v1::ListWorkersResponse workers, client.ListWorkers());
  snapshot.running.assign(run.jobs().begin(), run.jobs().end());
  snapshot.queued.assign(wait.jobs().begin(), wait.jobs().end());
  snapshot.has_more_queued = !wait.next_page_token().empty();
  snapshot.workers.assign(workers.workers().begin(), workers.workers().end());
  SortJobs(&snapshot);
  return snapshot;
}

// What fits on the screen; the last line says how much does not.
std::vector<std::string> CutToHeight(std::vector<std::string> lines, int height) {
  const auto room = static_cast<size_t>(height);
  if (lines.size() <= room) return lines;
  const size_t hidden = lines.size() - room + 1;
  lines.resize(room - 1);
  lines.push_back(absl::StrCat("... ", hidden, " more lines"));
  return lines;
}

}  // namespace

absl::StatusOr<ExitCode> RunTop(const CommandContext& context, const TopOptions& options) {
  OutputStream& out = context.console.out;
  TopSnapshot snapshot;
  SASQ_ASSIGN_OR_RETURN(snapshot, Look(context.client));
  LossHistory losses;
  losses.Update(snapshot.running);
  TopLook look;
  look.endpoint = context.client.endpoint();
  look.now = context.clock.Now();
  look.style = out.style();
  look.width = out.Width();
  if (options.once || !out.is_live()) {
    out.Write(absl::StrCat(absl::StrJoin(RenderTop(snapshot, losses, look), "\n"), "\n"));
    return ExitCode::kOk;
  }
  FullScreen screen(&out, context.client.interrupt());
  while (true) {
    look.now = context.clock.Now();
    look.width = out.Width();
    screen.Draw(CutToHeight(RenderTop(snapshot, losses, look), out.Height()));
    if (screen.WaitForKey(options.interval) == 'q') return ExitCode::kOk;
    if (context.client.interrupt()->triggered()) return absl::CancelledError("interrupted");
    absl::StatusOr<TopSnapshot> next = Look(context.client);
    look.problem = next.ok() ? "" : std::string(next.status().message());
    if (!next.ok()) continue;
    snapshot = *std::move(next);
    losses.Update(snapshot.running);
  }
}

}  // namespace sasq
