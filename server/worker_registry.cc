#include "server/worker_registry.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/rpc_status.h"
#include "server/timestamps.h"

namespace sasq {
namespace {

// How long a LOST worker is still shown.
constexpr absl::Duration kForgetAfter = absl::Hours(1);

uint32_t KindBit(const v1::Worker& worker) { return 1U << worker.capabilities().device_kind(); }

bool IsConnected(v1::WorkerState state) {
  return state != v1::WORKER_STATE_LOST && state != v1::WORKER_STATE_DRAINING;
}

// `CPU`, or nothing where every kind will do.
std::string KindNames(uint32_t kinds) {
  std::vector<absl::string_view> names;
  for (int i = v1::DeviceKind_MIN + 1; i <= v1::DeviceKind_MAX; ++i) {
    if ((kinds >> i & 1) == 0) continue;
    absl::string_view name = v1::DeviceKind_Name(static_cast<v1::DeviceKind>(i));
    name.remove_prefix(absl::string_view("DEVICE_KIND_").size());
    names.push_back(name);
  }
  return names.size() == v1::DeviceKind_MAX ? "" : absl::StrJoin(names, ", ");
}

}  // namespace

v1::WorkerState WorkerRegistry::StateOf(const Entry& entry, absl::Time now) const {
  if (entry.held_poll_count == 0 && now - entry.last_seen > lost_after_) {
    return v1::WORKER_STATE_LOST;
  }
  if (entry.draining) return v1::WORKER_STATE_DRAINING;
  return entry.worker.job().empty() ? v1::WORKER_STATE_IDLE : v1::WORKER_STATE_BUSY;
}

WorkerRegistry::Entry* WorkerRegistry::Find(absl::string_view id, absl::string_view instance_id) {
  const auto found = entries_.find(id);
  return found != entries_.end() && found->second.instance_id == instance_id ? &found->second
                                                                             : nullptr;
}

absl::Status WorkerRegistry::Register(const v1::Worker& worker, absl::string_view instance_id,
                                      absl::Time now) {
  MutexLock lock(&mutex_);
  Entry& entry = entries_[worker.id()];
  const bool same = entry.instance_id == instance_id;
  const v1::WorkerState state = StateOf(entry, now);
  const bool leaves = state == v1::WORKER_STATE_LOST || state == v1::WORKER_STATE_DRAINING;
  if (!entry.instance_id.empty() && !same && !leaves) {
    return WithReason(
        absl::AlreadyExistsError(absl::StrCat(
            "worker_id \"", worker.id(), "\" belongs to another process that was heard of ",
            absl::FormatDuration(now - entry.last_seen),
            " ago; give this worker an id of its own, or end the other and wait ",
            absl::FormatDuration(lost_after_))),
        "WORKER_ID_TAKEN");
  }
  if (!same) entry = Entry();
  entry.worker.set_id(worker.id());
  entry.worker.set_version(worker.version());
  *entry.worker.mutable_capabilities() = worker.capabilities();
  entry.instance_id = std::string(instance_id);
  entry.last_seen = now;
  entry.draining = false;
  return absl::OkStatus();
}

absl::StatusOr<v1::WorkerCapabilities> WorkerRegistry::Touch(absl::string_view id,
                                                             absl::string_view instance_id,
                                                             absl::Time now) {
  MutexLock lock(&mutex_);
  Entry* entry = Find(id, instance_id);
  if (entry == nullptr) {
    return WithReason(
        absl::NotFoundError(absl::StrCat("worker \"", id, "\", instance \"", instance_id,
                                         "\", is not registered; call RegisterWorker")),
        "WORKER_NOT_REGISTERED");
  }
  entry->last_seen = now;
  return entry->worker.capabilities();
}

void WorkerRegistry::BeginPoll(absl::string_view id, absl::string_view instance_id) {
  MutexLock lock(&mutex_);
  Entry* entry = Find(id, instance_id);
  if (entry == nullptr) return;
  ++entry->held_poll_count;
  entry->draining = false;
}

void WorkerRegistry::EndPoll(absl::string_view id, absl::string_view instance_id, absl::Time now) {
  MutexLock lock(&mutex_);
  Entry* entry = Find(id, instance_id);
  if (entry == nullptr) return;
  entry->held_poll_count = std::max(0, entry->held_poll_count - 1);
  entry->last_seen = now;
}

void WorkerRegistry::SetJob(absl::string_view id, absl::string_view job) {
  MutexLock lock(&mutex_);
  const auto found = entries_.find(id);
  if (found != entries_.end()) found->second.worker.set_job(std::string(job));
}

void WorkerRegistry::ClearJob(absl::string_view id, absl::string_view job, bool draining) {
  MutexLock lock(&mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;
  if (found->second.worker.job() == job) found->second.worker.clear_job();
  if (draining) found->second.draining = true;
}

void WorkerRegistry::ForgetLost(absl::Time now) {
  MutexLock lock(&mutex_);
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    const bool forget = entry->second.held_poll_count == 0 &&
                        now - entry->second.last_seen > lost_after_ + kForgetAfter;
    entry = forget ? entries_.erase(entry) : std::next(entry);
  }
}

std::vector<v1::Worker> WorkerRegistry::List(absl::Time now) const {
  MutexLock lock(&mutex_);
  std::vector<v1::Worker> workers;
  workers.reserve(entries_.size());
  for (const auto& [id, entry] : entries_) {
    v1::Worker& worker = workers.emplace_back(entry.worker);
    worker.set_state(StateOf(entry, now));
    SetTimestamp(entry.held_poll_count > 0 ? now : entry.last_seen,
                 worker.mutable_last_seen_time());
  }
  return workers;
}

std::string WorkerRegistry::WaitingReason(const WorkerSelector& selector, absl::Time now) const {
  MutexLock lock(&mutex_);
  int connected = 0;
  int of_kind = 0;
  int matching = 0;
  int busy = 0;
  for (const auto& [id, entry] : entries_) {
    const v1::WorkerState state = StateOf(entry, now);
    if (!IsConnected(state)) continue;
    ++connected;
    if ((selector.device_kinds & KindBit(entry.worker)) == 0) continue;
    ++of_kind;
    if (entry.worker.capabilities().memory_bytes() < selector.min_memory_bytes) continue;
    ++matching;
    if (state == v1::WORKER_STATE_BUSY) ++busy;
  }
  const std::string kinds = KindNames(selector.device_kinds);
  const std::string of_kinds = kinds.empty() ? "" : absl::StrCat(" of device kind ", kinds);
  if (connected == 0) return "no worker is connected";
  if (of_kind == 0) return absl::StrCat("no connected worker has device kind ", kinds);
  if (matching == 0) {
    return absl::StrCat("no connected worker", of_kinds, " has ", selector.min_memory_bytes,
                        " bytes of memory");
  }
  if (busy < matching) return "a worker will take it next";
  return matching == 1
             ? absl::StrCat("the only connected worker", of_kinds, " is busy")
             : absl::StrCat("all ", matching, " connected workers", of_kinds, " are busy");
}

uint32_t WorkerRegistry::DeviceKindOf(absl::string_view id) const {
  MutexLock lock(&mutex_);
  const auto found = entries_.find(id);
  return found == entries_.end() ? 0 : KindBit(found->second.worker);
}

uint32_t WorkerRegistry::ConnectedKinds(absl::Time now) const {
  MutexLock lock(&mutex_);
  uint32_t kinds = 0;
  for (const auto& [id, entry] : entries_) {
    if (IsConnected(StateOf(entry, now))) kinds |= KindBit(entry.worker);
  }
  return kinds;
}

double WorkerRegistry::BestFlopsPerSecond(v1::DeviceKind device_kind, absl::Time now) const {
  MutexLock lock(&mutex_);
  double best = 0;
  for (const auto& [id, entry] : entries_) {
    const v1::WorkerCapabilities& capabilities = entry.worker.capabilities();
    const bool matches =
        device_kind == v1::DEVICE_KIND_UNSPECIFIED || device_kind == capabilities.device_kind();
    if (StateOf(entry, now) == v1::WORKER_STATE_LOST || !matches) continue;
    best = std::max(best, capabilities.float_flops_per_second());
  }
  return best;
}

}  // namespace sasq
