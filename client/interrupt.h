// Ctrl-C as an event that ends waits and calls in an orderly way.
#ifndef SASQ_CLIENT_INTERRUPT_H_
#define SASQ_CLIENT_INTERRUPT_H_

#include <functional>
#include <list>

#include "absl/time/time.h"
#include "common/mutex.h"

namespace sasq {

// Thread-safe. Goes from calm to triggered once.
class Interrupt {
 public:
  // Ends every SleepFor and runs every action registered at this moment.
  void Trigger() ABSL_LOCKS_EXCLUDED(mutex_);
  bool triggered() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits. False if the wait was cut short because of Trigger, also by an earlier one.
  bool SleepFor(absl::Duration duration) ABSL_LOCKS_EXCLUDED(mutex_);

  // Runs `action` on Trigger, at once if that was already; never after the destructor. The action
  // must be short, must not block and must not call back: it runs under the lock, which is what
  // makes the destructor safe.
  class Action {
   public:
    Action(Interrupt* interrupt, std::function<void()> action);
    ~Action();
    Action(const Action&) = delete;
    Action& operator=(const Action&) = delete;

   private:
    Interrupt* const interrupt_;
    std::list<std::function<void()>>::iterator position_;
  };

 private:
  mutable Mutex mutex_;
  CondVar changed_;
  bool triggered_ ABSL_GUARDED_BY(mutex_) = false;
  std::list<std::function<void()>> actions_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sasq

#endif  // SASQ_CLIENT_INTERRUPT_H_
