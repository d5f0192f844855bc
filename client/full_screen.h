// The whole terminal for one program: a screen of its own, and keys as they are pressed.
#ifndef SASQ_CLIENT_FULL_SCREEN_H_
#define SASQ_CLIENT_FULL_SCREEN_H_

#include <termios.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "client/interrupt.h"
#include "client/terminal.h"
#include "common/descriptor.h"

namespace sasq {

// From construction to destruction the stream, which is_live(), shows the screen that Draw fills,
// and standard input, where it is a terminal, gives keys without echo. Thread-compatible.
class FullScreen {
 public:
  FullScreen(OutputStream* stream, Interrupt* interrupt);
  // Brings back what was there before.
  ~FullScreen();
  FullScreen(const FullScreen&) = delete;
  FullScreen& operator=(const FullScreen&) = delete;

  // Lines, as many as the terminal has; what is wider than it is cut.
  void Draw(const std::vector<std::string>& lines);
  // The key that was pressed, if one was within `duration`. Returns at once when interrupted.
  std::optional<char> WaitForKey(absl::Duration duration);

 private:
  OutputStream* const stream_;
  const Descriptor wake_;  // an event, readable once the interrupt was triggered
  const Interrupt::Action on_interrupt_;
  std::optional<termios> before_;  // of standard input; nothing: it is no terminal, or has ended
};

}  // namespace sasq

#endif  // SASQ_CLIENT_FULL_SCREEN_H_
