// A few lines at the bottom of a terminal that are redrawn in place, with ordinary lines above.
#ifndef SASQ_CLIENT_LIVE_REGION_H_
#define SASQ_CLIENT_LIVE_REGION_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "client/terminal.h"

namespace sasq {

// Writes to a stream that is_live(). Nobody else may write to that terminal while lines are drawn.
// Thread-compatible.
class LiveRegion {
 public:
  explicit LiveRegion(OutputStream* stream) : stream_(stream) {}
  ~LiveRegion() { Clear(); }
  LiveRegion(const LiveRegion&) = delete;
  LiveRegion& operator=(const LiveRegion&) = delete;

  // Columns that a line may take: one less than the terminal has, so that none wraps.
  int Width() const { return stream_->Width() - 1; }
  // Replaces what is drawn.
  void Draw(const std::vector<std::string>& lines);
  // Takes away what is drawn.
  void Clear();
  // Writes a line that stays, above what is drawn.
  void PrintAbove(absl::string_view line);

 private:
  // Escapes that lead to the region's first column and line and clear from there.
  std::string Rewind() const;

  OutputStream* const stream_;
  std::vector<std::string> drawn_;
};

}  // namespace sasq

#endif  // SASQ_CLIENT_LIVE_REGION_H_
