// Windows: runs of consecutive tokens, all of one length, that calibration, training and evaluation
// work on. Window k of a text begins at token k * window_tokens, or k * stride_tokens; what is left
// at the end of the text belongs to none.
#ifndef SASQ_QUANT_TEXT_WINDOWS_H_
#define SASQ_QUANT_TEXT_WINDOWS_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace sasq {

// How many windows a text has: floor(token_count / window_tokens). INVALID_ARGUMENT
// (INVALID_TEXT), telling both numbers, if it is shorter than one.
absl::StatusOr<int64_t> CountWindows(int64_t token_count, int64_t window_tokens);

// `wanted` of `available` windows, evenly spaced: window number floor(i * available / wanted) for i
// in 0..wanted-1. All of them if `wanted` is 0 or more than there are.
std::vector<int64_t> EvenlySpacedWindows(int64_t available, int64_t wanted);

// The tokens of window number `window`.
absl::Span<const int32_t> WindowAt(absl::Span<const int32_t> tokens, int64_t window,
                                   int64_t window_tokens);

// A window of evaluation: the tokens from `begin` on, of which the predictions from
// `first_position` on are scored (position t predicts token t + 1 of the window).
struct StridedWindow {
  int64_t begin = 0;
  int64_t first_position = 0;
};

// Windows of `window_tokens` that begin every `stride_tokens`, 1..window_tokens: `wanted` of them,
// evenly spaced; all if `wanted` is 0 or more than there are. A window that overlaps the one before
// scores what is new in it, so that all windows together score each token once ("Perplexity of
// fixed-length models", Hugging Face Transformers), but for the first of a text or, without an
// overlap, of a window. What is scored in a window does not depend on `wanted`. INVALID_ARGUMENT as
// of CountWindows.
absl::StatusOr<std::vector<StridedWindow>> CutStridedWindows(int64_t token_count,
                                                             int64_t window_tokens,
                                                             int64_t stride_tokens, int64_t wanted);

// The order in which training takes windows: all of them in random order, then all of them in
// another random order, and so on. A function of the seed, the same on every platform: SplitMix64
// (Steele, Lea, Flood, OOPSLA 2014), started from the seed, feeds a Fisher-Yates shuffle; each
// epoch draws on from where the one before stopped. Thread-compatible.
class WindowOrder {
 public:
  // `window_count` > 0.
  WindowOrder(int64_t window_count, uint64_t seed);

  // The window of the next step. To resume at step n, take n windows from a fresh order.
  int64_t Next();

 private:
  uint64_t NextRandom();
  // Uniform in 0..bound-1, by rejection.
  uint64_t NextBelow(uint64_t bound);
  void Shuffle();

  uint64_t state_;
  std::vector<int64_t> order_;
  size_t position_;
};

}  // namespace sasq

#endif  // SASQ_QUANT_TEXT_WINDOWS_H_
