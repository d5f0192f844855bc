#include "client/full_screen.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace sasq {
namespace {

// xterm's control sequences: the alternate screen, no cursor, no wrapping of long lines.
constexpr char kEnter[] = "\x1b[?1049h\x1b[?25l\x1b[?7l";
constexpr char kLeave[] = "\x1b[?7h\x1b[?25h\x1b[?1049l";
constexpr char kHome[] = "\x1b[H";
constexpr char kClearLine[] = "\x1b[K";
constexpr char kClearBelow[] = "\x1b[J";

int MakeEvent() {
  const int event = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  SASQ_CHECK(event >= 0);
  return event;
}

}  // namespace

FullScreen::FullScreen(OutputStream* stream, Interrupt* interrupt)
    : stream_(stream),
      wake_(MakeEvent()),
      on_interrupt_(interrupt, [event = wake_.get()] { (void)::eventfd_write(event, 1); }) {
  termios now{};
  if (::tcgetattr(STDIN_FILENO, &now) == 0) {
    before_ = now;
    now.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    (void)::tcsetattr(STDIN_FILENO, TCSANOW, &now);
  }
  stream_->Write(kEnter);
}

FullScreen::~FullScreen() {
  stream_->Write(kLeave);
  if (before_.has_value()) (void)::tcsetattr(STDIN_FILENO, TCSANOW, &*before_);
}

void FullScreen::Draw(const std::vector<std::string>& lines) {
  std::string screen = kHome;
  for (size_t i = 0; i < lines.size(); ++i) {
    absl::StrAppend(&screen, i == 0 ? "" : "\r\n", lines[i], kClearLine);
  }
  stream_->Write(absl::StrCat(screen, kClearBelow));  // one write, so that nothing flickers
}

std::optional<char> FullScreen::WaitForKey(absl::Duration duration) {
  const auto milliseconds = absl::ToInt64Milliseconds(std::min(duration, absl::Hours(24)));
  pollfd inputs[] = {{wake_.get(), POLLIN, 0},
                     {before_.has_value() ? STDIN_FILENO : -1, POLLIN, 0}};
  if (::poll(inputs, 2, static_cast<int>(milliseconds)) <= 0) {
    return std::nullopt;
  }
  if (inputs[1].revents == 0) return std::nullopt;
  char key = 0;
  if (::read(STDIN_FILENO, &key, 1) == 1) return key;
  before_.reset();  // the terminal has gone
  return std::nullopt;
}

}  // namespace sasq
