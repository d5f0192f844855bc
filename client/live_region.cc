#include "client/live_region.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace sasq {

std::string LiveRegion::Rewind() const {
  if (drawn_.empty()) return "";
  return absl::StrCat("\r\x1b[", drawn_.size(), "A\x1b[J");
}

void LiveRegion::Draw(const std::vector<std::string>& lines) {
  if (lines == drawn_) return;
  // One write, so that the terminal never shows half of it.
  stream_->Write(absl::StrCat(Rewind(), absl::StrJoin(lines, "\n"), lines.empty() ? "" : "\n"));
  drawn_ = lines;
}

void LiveRegion::Clear() { Draw({}); }

void LiveRegion::PrintAbove(absl::string_view line) {
  const std::vector<std::string> lines = drawn_;
  stream_->Write(
      absl::StrCat(Rewind(), line, "\n", absl::StrJoin(lines, "\n"), lines.empty() ? "" : "\n"));
}

}  // namespace sasq
