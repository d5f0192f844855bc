#include "quant/text/windows.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "quant/text/text_error.h"

namespace sasq {

absl::StatusOr<int64_t> CountWindows(int64_t token_count, int64_t window_tokens) {
  SASQ_CHECK(window_tokens > 0);
  if (token_count < window_tokens) {
    return InvalidText(absl::StrCat("the text has ", token_count,
                                    " tokens, fewer than one window "
                                    "of ",
                                    window_tokens,
                                    "; give a longer text or choose shorter "
                                    "windows"));
  }
  return token_count / window_tokens;
}

std::vector<int64_t> EvenlySpacedWindows(int64_t available, int64_t wanted) {
  if (wanted <= 0 || wanted > available) wanted = available;
  std::vector<int64_t> windows;
  windows.reserve(static_cast<size_t>(wanted));
  for (int64_t i = 0; i < wanted; ++i) {
    windows.push_back(static_cast<int64_t>(static_cast<__int128>(i) * available / wanted));
  }
  return windows;
}

absl::Span<const int32_t> WindowAt(absl::Span<const int32_t> tokens, int64_t window,
                                   int64_t window_tokens) {
  const auto begin = static_cast<size_t>(window * window_tokens);
  const auto count = static_cast<size_t>(window_tokens);
  SASQ_CHECK(window >= 0 && begin + count <= tokens.size());
  return tokens.subspan(begin, count);
}

absl::StatusOr<std::vector<StridedWindow>> CutStridedWindows(int64_t token_count,
                                                             int64_t window_tokens,
                                                             int64_t stride_tokens,
                                                             int64_t wanted) {
  SASQ_CHECK(stride_tokens > 0 && stride_tokens <= window_tokens);
  SASQ_RETURN_IF_ERROR(CountWindows(token_count, window_tokens).status());
  const int64_t available = (token_count - window_tokens) / stride_tokens + 1;
  // The prediction of the first token that the window before does not hold.
  const int64_t first_new = std::max<int64_t>(0, window_tokens - stride_tokens - 1);
  std::vector<StridedWindow> windows;
  for (const int64_t window : EvenlySpacedWindows(available, wanted)) {
    windows.push_back({window * stride_tokens, window == 0 ? 0 : first_new});
  }
  return windows;
}

WindowOrder::WindowOrder(int64_t window_count, uint64_t seed)
    : state_(seed), order_(static_cast<size_t>(window_count)), position_(order_.size()) {
  SASQ_CHECK(window_count > 0);
  std::iota(order_.begin(), order_.end(), 0);
}

int64_t WindowOrder::Next() {
  if (position_ == order_.size()) {
    Shuffle();
    position_ = 0;
  }
  return order_[position_++];
}

uint64_t WindowOrder::NextRandom() {
  uint64_t z = state_ += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

uint64_t WindowOrder::NextBelow(uint64_t bound) {
  const uint64_t first_biased = UINT64_MAX - UINT64_MAX % bound;  // a multiple of bound
  uint64_t value = NextRandom();
  while (value >= first_biased) value = NextRandom();
  return value % bound;
}

void WindowOrder::Shuffle() {
  for (size_t i = order_.size() - 1; i > 0; --i) {
    std::swap(order_[i], order_[NextBelow(i + 1)]);
  }
}

}  // namespace sasq
