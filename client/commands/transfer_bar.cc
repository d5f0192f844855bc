#include "client/commands/transfer_bar.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/progress.h"
#include "client/text.h"

namespace sasq {
namespace {

constexpr absl::Duration kRedrawPeriod = absl::Milliseconds(100);
constexpr int kBarColumns = 30;
constexpr int kNameColumns = 24;

// One line for a file under way.
std::string RenderTransfer(const std::string& name, int64_t size_bytes, int64_t done_bytes,
                           double bytes_per_second, int width, const TextStyle& style) {
  const double fraction =
      size_bytes == 0 ? 1.0 : static_cast<double>(done_bytes) / static_cast<double>(size_bytes);
  const std::string head = PadRight(TruncateToWidth(name, kNameColumns), kNameColumns);
  std::string tail = absl::StrFormat("%3.0f%%  %s", 100 * fraction, BytesText(done_bytes));
  if (bytes_per_second > 0) {
    const double left = static_cast<double>(size_bytes - done_bytes) / bytes_per_second;
    absl::StrAppend(&tail, "  ", BytesText(static_cast<int64_t>(bytes_per_second)), "/s  ",
                    DurationText(absl::Seconds(left)), " left");
  }
  const int bar = std::min(kBarColumns, width - kNameColumns - DisplayWidth(tail) - 2);
  if (bar < 5) return TruncateToWidth(absl::StrCat(head, " ", tail), width);
  return absl::StrCat(head, " ", RenderBar(fraction, bar, style), " ", tail);
}

}  // namespace

TransferBar::TransferBar(const CommandContext& context, std::string name, int64_t size_bytes)
    : context_(context),
      name_(std::move(name)),
      size_bytes_(size_bytes),
      is_live_(context.console.err.is_live() && !context.console.quiet),
      region_(&context.console.err) {}

void TransferBar::Update(int64_t bytes) {
  if (first_bytes_ < 0) first_bytes_ = bytes;
  const absl::Time now = context_.clock.Now();
  if (!is_live_ || now - drawn_ < kRedrawPeriod) return;
  drawn_ = now;
  const double speed =
      static_cast<double>(bytes - first_bytes_) / std::max(stopwatch_.Seconds(), 1e-3);
  region_.Draw({RenderTransfer(name_, size_bytes_, bytes, speed, region_.Width(),
                               context_.console.err.style())});
}

void TransferBar::Note(const std::string& line) {
  region_.Clear();
  context_.console.Note(line);
}

}  // namespace sasq
