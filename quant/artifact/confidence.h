// How sure figures are that were measured window by window. Reproducible: the same losses give the
// same figures everywhere.
#ifndef SASQ_QUANT_ARTIFACT_CONFIDENCE_H_
#define SASQ_QUANT_ARTIFACT_CONFIDENCE_H_

#include <optional>

#include "absl/types/span.h"

namespace sasq {

// A figure with its 95% confidence interval: bootstrap over windows.
struct Interval {
  double low = 0;
  double high = 0;
};

// The difference of two rows on the same windows: mean over windows of loss - other loss.
struct PairedDifference {
  double mean_nats = 0;
  Interval interval;
  double p_value = 0;  // two-sided sign-flip permutation test
};

// The interval of a perplexity, exp of the mean of the windows' mean losses in nats: percentiles of
// 10,000 resamples of the windows (Efron and Tibshirani, An Introduction to the Bootstrap, section
// 13.3). Nothing for fewer than two windows. A loss that is infinite or no number counts as
// infinite, so that the upper end, or both, may be infinite. Few windows give a rough interval.
std::optional<Interval> PerplexityInterval(absl::Span<const double> window_losses);

// How the losses of a row differ from those of another one on the same windows, of which there are
// as many. The interval is a bootstrap as above. The p-value is the share of sign patterns under
// which the mean difference is at least as far from 0: of all patterns for at most 14 windows, else
// of 20,000 random ones and the one observed (Phipson and Smyth, Stat. Appl. Genet. Mol. Biol. 9,
// 2010). Nothing for fewer than two windows, or if a loss is not finite: a collapsed model has no
// mean difference.
std::optional<PairedDifference> ComparePaired(absl::Span<const double> window_losses,
                                              absl::Span<const double> other_window_losses);

}  // namespace sasq

#endif  // SASQ_QUANT_ARTIFACT_CONFIDENCE_H_
