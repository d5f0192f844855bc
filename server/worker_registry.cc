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
// How often others are told of a worker that does not change, in the time after which it is lost.
constexpr int kTellsPerLoss = 4;

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

absl::Time WorkerRegistry::LastSeen(const Entry& entry, absl::Time now) {
  return entry.held_poll_count > 0 ? now : entry.last_seen;
}

v1::WorkerState WorkerRegistry::StateOf(const Entry& entry, absl::Time now) const {
  if (now - LastSeen(entry, now) > lost_after_) return v1::WORKER_STATE_LOST;
  if (entry.draining) return v1::WORKER_STATE_DRAINING;
  return entry.worker.job().empty() ? v1::WORKER_STATE_IDLE : v1::WORKER_STATE_BUSY;
}

const WorkerRegistry::Entry* WorkerRegistry::FindInFleet(absl::string_view id,
                                                         absl::Time now) const {
  const auto own = entries_.find(id);
  const auto other = others_.find(id);
  if (other == others_.end()) return own == entries_.end() ? nullptr : &own->second;
  if (own == entries_.end()) return &other->second;
  return LastSeen(own->second, now) >= other->second.last_seen ? &own->second : &other->second;
}

std::map<absl::string_view, const WorkerRegistry::Entry*> WorkerRegistry::Fleet(
    absl::Time now) const {
  std::map<absl::string_view, const Entry*> fleet;
  for (const Entries* entries : {&entries_, &others_}) {
    for (const auto& [id, entry] : *entries) fleet[id] = FindInFleet(id, now);
  }
  return fleet;
}

WorkerRegistry::Entry* WorkerRegistry::Find(absl::string_view id, absl::string_view instance_id) {
  const auto found = entries_.find(id);
  return found != entries_.end() && found->second.instance_id == instance_id ? &found->second
                                                                             : nullptr;
}

absl::Status WorkerRegistry::Register(const v1::Worker& worker, absl::string_view instance_id,
                                      absl::Time now) {
  MutexLock lock(&mutex_);
  const Entry* const known = FindInFleet(worker.id(), now);
  const v1::WorkerState state = known == nullptr ? v1::WORKER_STATE_LOST : StateOf(*known, now);
  if (IsConnected(state) && known->instance_id != instance_id) {
    return WithReason(
        absl::AlreadyExistsError(absl::StrCat(
            "worker_id \"", worker.id(), "\" belongs to another process that was heard of ",
            absl::FormatDuration(now - known->last_seen),
            " ago; give this worker an id of its own, or end the other and wait ",
            absl::FormatDuration(lost_after_))),
        "WORKER_ID_TAKEN");
  }
  Entry& entry = entries_[worker.id()];
  if (entry.instance_id != instance_id) entry = Entry();
  entry.worker.set_id(worker.id());
  entry.worker.set_version(worker.version());
  *entry.worker.mutable_capabilities() = worker.capabilities();
  entry.instance_id = std::string(instance_id);
  entry.last_seen = now;
  entry.draining = false;
  entry.changed = true;
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
  entry->changed |= entry->draining;
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
  if (found == entries_.end()) return;
  found->second.changed |= found->second.worker.job() != job;
  found->second.worker.set_job(std::string(job));
}

void WorkerRegistry::ClearJob(absl::string_view id, absl::string_view job, bool draining) {
  MutexLock lock(&mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;
  found->second.changed = true;
  if (found->second.worker.job() == job) found->second.worker.clear_job();
  if (draining) found->second.draining = true;
}

absl::Time WorkerRegistry::OldestKept(absl::Time now) const {
  return now - lost_after_ - kForgetAfter;
}

void WorkerRegistry::ForgetLost(absl::Time now) {
  MutexLock lock(&mutex_);
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    const bool forget = LastSeen(entry->second, now) < OldestKept(now);
    entry = forget ? entries_.erase(entry) : std::next(entry);
  }
}

std::vector<SharedWorker> WorkerRegistry::TakeChanges(absl::Time now) {
  MutexLock lock(&mutex_);
  std::vector<SharedWorker> changes;
  for (auto& [id, entry] : entries_) {
    const absl::Time last_seen = LastSeen(entry, now);
    if (!entry.changed && last_seen - entry.told_last_seen < lost_after_ / kTellsPerLoss) continue;
    entry.changed = false;
    entry.told_last_seen = last_seen;
    changes.push_back({entry.worker, entry.instance_id, last_seen, entry.draining});
  }
  return changes;
}

void WorkerRegistry::ShareAgain() {
  MutexLock lock(&mutex_);
  for (auto& [id, entry] : entries_) entry.changed = true;
}

void WorkerRegistry::SetOthers(const std::vector<SharedWorker>& others) {
  MutexLock lock(&mutex_);
  others_.clear();
  for (const SharedWorker& other : others) {
    Entry& entry = others_[other.worker.id()];
    entry.worker = other.worker;
    entry.instance_id = other.instance_id;
    entry.last_seen = other.last_seen;
    entry.draining = other.draining;
  }
}

std::vector<v1::Worker> WorkerRegistry::List(absl::Time now) const {
  MutexLock lock(&mutex_);
  std::vector<v1::Worker> workers;
  for (const auto& [id, entry] : Fleet(now)) {
    v1::Worker& worker = workers.emplace_back(entry->worker);
    worker.set_state(StateOf(*entry, now));
    SetTimestamp(LastSeen(*entry, now), worker.mutable_last_seen_time());
  }
  return workers;
}

std::string WorkerRegistry::WaitingReason(const WorkerSelector& selector, absl::Time now) const {
  MutexLock lock(&mutex_);
  int connected = 0;
  int of_kind = 0;
  int matching = 0;
  int busy = 0;
  for (const auto& [id, entry] : Fleet(now)) {
    const v1::WorkerState state = StateOf(*entry, now);
    if (!IsConnected(state)) continue;
    ++connected;
    if ((selector.device_kinds & KindBit(entry->worker)) == 0) continue;
    ++of_kind;
    if (entry->worker.capabilities().memory_bytes() < selector.min_memory_bytes) continue;
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
  for (const auto& [id, entry] : Fleet(now)) {
    if (IsConnected(StateOf(*entry, now))) kinds |= KindBit(entry->worker);
  }
  return kinds;
}

double WorkerRegistry::BestFlopsPerSecond(v1::DeviceKind device_kind, absl::Time now) const {
  MutexLock lock(&mutex_);
  double best = 0;
  for (const auto& [id, entry] : Fleet(now)) {
    const v1::WorkerCapabilities& capabilities = entry->worker.capabilities();
    const bool matches =
        device_kind == v1::DEVICE_KIND_UNSPECIFIED || device_kind == capabilities.device_kind();
    if (StateOf(*entry, now) == v1::WORKER_STATE_LOST || !matches) continue;
    best = std::max(best, capabilities.float_flops_per_second());
  }
  return best;
}

}  // namespace sasq
