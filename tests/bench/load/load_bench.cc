// How far one coordinator goes: jobs accepted per second, then a thousand workers and a thousand
// watchers at once, on a queue of a hundred thousand jobs. It starts a sasqd of its own, and both
// share the machine: the figures are those of this machine, with the load's own cost in them.
#include <stdlib.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <iterator>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "common/uid.h"
#include "tests/bench/load/load.h"

namespace sasq::load {
namespace {

// 0 if every watcher of a job that ended has seen its end.
int Run(const Flags& flags, const std::string& folder) {
  const CoordinatorProcess coordinator(flags, folder);
  if (coordinator.endpoint().empty()) {
    std::fprintf(stderr, "load_bench: %s did not start\n", flags.sasqd.c_str());
    return 1;
  }
  std::printf("%-14s %8s %11s %12s %12s\n", "call", "count", "rate", "median", "99%");
  Submitters submitters(flags, coordinator.endpoint());
  const double submit_seconds = submitters.Run();
  submitters.latencies().Print("SubmitJob", submit_seconds);
  std::fflush(stdout);

  Scheduler scheduler;
  Fleet fleet(flags, coordinator.endpoint(), scheduler);
  fleet.Register();
  const int64_t threads_before = coordinator.Status("Threads");
  Watchers watchers(submitters.names(), flags.watcher_count, coordinator.endpoint());
  while (watchers.open_count() < flags.watcher_count && watchers.broken_count() == 0) {
    absl::SleepFor(absl::Milliseconds(10));
  }
  const int64_t threads_after = coordinator.Status("Threads");
  const absl::Time start = absl::Now();
  fleet.Start();
  absl::SleepFor(absl::Seconds(flags.seconds));
  fleet.Finish();
  const double seconds = absl::ToDoubleSeconds(absl::Now() - start);
  fleet.leases().Print("LeaseTask", seconds);
  fleet.heartbeats().Print("Heartbeat", seconds);
  fleet.completions().Print("CompleteTask", seconds);

  const std::set<std::string> completed = fleet.completed_jobs();
  const std::set<std::string> watched(
      submitters.names().begin(),
      submitters.names().begin() +
          std::min<ptrdiff_t>(flags.watcher_count, std::ssize(submitters.names())));
  std::set<std::string> to_be_seen;
  std::set_intersection(completed.begin(), completed.end(), watched.begin(), watched.end(),
                        std::inserter(to_be_seen, to_be_seen.end()));
  const absl::Time deadline = absl::Now() + absl::Seconds(10);
  while (watchers.ended_jobs().size() < to_be_seen.size() && absl::Now() < deadline) {
    absl::SleepFor(absl::Milliseconds(10));
  }
  const size_t seen = watchers.ended_jobs().size();
  std::printf(
      "\n%d workers, %d watchers: %zu of %zu watched jobs that ended were seen to end, %d "
      "streams broke\n",
      flags.worker_count, flags.watcher_count, seen, to_be_seen.size(), watchers.broken_count());
  std::printf("sasqd: %lld threads without watchers, %lld with; at most %lld MiB of memory\n",
              static_cast<long long>(threads_before), static_cast<long long>(threads_after),
              static_cast<long long>(coordinator.Status("VmHWM") / 1024));
  return seen == to_be_seen.size() && watchers.broken_count() == 0 ? 0 : 1;
}

int Main(int argc, char** argv) {
  Flags flags;
  flags.sasqd = (std::filesystem::path(argv[0]).parent_path() / "sasqd").string();
  CLI::App app("Measures how much load one sasqd carries.");
  app.add_option("--sasqd", flags.sasqd, "The program")->capture_default_str();
  app.add_option("--folder", flags.folder, "Where its data go (default: a temporary folder here)");
  app.add_option("--jobs", flags.job_count, "Jobs to queue")->capture_default_str();
  app.add_option("--submitters", flags.submitter_count, "Calls in flight")->capture_default_str();
  app.add_option("--workers", flags.worker_count)->capture_default_str();
  app.add_option("--watchers", flags.watcher_count)->capture_default_str();
  app.add_option("--heartbeat", flags.heartbeat_seconds, "Seconds, a third of a lease")
      ->capture_default_str();
  app.add_option("--task", flags.task_seconds, "Seconds of a task")->capture_default_str();
  app.add_option("--seconds", flags.seconds, "How long workers take tasks")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  const std::string folder = flags.folder.empty() ? absl::StrCat("load-", NewUid()) : flags.folder;
  std::filesystem::create_directories(folder);
  const int code = Run(flags, std::filesystem::absolute(folder).string());
  if (flags.folder.empty()) std::filesystem::remove_all(folder);
  return code;
}

}  // namespace
}  // namespace sasq::load

int main(int argc, char** argv) { return sasq::load::Main(argc, argv); }
