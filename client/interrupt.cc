#include "client/interrupt.h"

#include <chrono>
#include <utility>

namespace sasq {

void Interrupt::Trigger() {
  MutexLock lock(&mutex_);
  if (triggered_) return;
  triggered_ = true;
  for (const auto& action : actions_) action();
  changed_.SignalAll();
}

bool Interrupt::triggered() const {
  MutexLock lock(&mutex_);
  return triggered_;
}

bool Interrupt::SleepFor(absl::Duration duration) {
  const auto end = std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(duration);
  MutexLock lock(&mutex_);
  while (!triggered_) {
    const auto left = end - std::chrono::steady_clock::now();
    if (left <= left.zero()) return true;
    changed_.WaitFor(&mutex_, absl::FromChrono(left));
  }
  return false;
}

Interrupt::Action::Action(Interrupt* interrupt, std::function<void()> action)
    : interrupt_(interrupt) {
  MutexLock lock(&interrupt->mutex_);
  if (interrupt->triggered_) action();
  position_ = interrupt->actions_.insert(interrupt->actions_.end(), std::move(action));
}

Interrupt::Action::~Action() {
  MutexLock lock(&interrupt_->mutex_);
  interrupt_->actions_.erase(position_);
}

}  // namespace sasq
