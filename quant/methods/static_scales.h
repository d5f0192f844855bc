// Static scales straight from calibration statistics.
#ifndef SASQ_QUANT_METHODS_STATIC_SCALES_H_
#define SASQ_QUANT_METHODS_STATIC_SCALES_H_

#include <vector>

#include "quant/methods/activation_statistics.h"
#include "sasq/v1/job_spec.pb.h"

namespace sasq {

// How scales are read.
struct ScaleRuleOptions {
  v1::ScaleRule rule = v1::SCALE_RULE_MSE;
  double percentile = 99.99;   // SCALE_RULE_PERCENTILE: share of magnitudes not clipped, in percent
  int bits = 8;                // 4..8
  bool without_first = false;  // leave the first token of each window out
};

// One scale per site, in the order of Model::sites(). With Q the largest code, 127 of 8 bits:
//   ABSMAX_MEAN  mean over windows of the window's absmax, / Q
//   ABSMAX_MAX   absmax of all windows / Q
//   PERCENTILE   the magnitude that the given share of all values does not exceed, / Q; to within a
//                bin of the histogram (1.1%)
//   MSE          least expected squared error |x - s * clamp(round(x / s), -Q, Q)|^2 over all
//                values seen
// A site that was always zero gets the scale 1.
std::vector<float> StaticScales(const ActivationStatistics& statistics,
                                const ScaleRuleOptions& options);

// What a scale does to the values of a site, expected from the histogram.
struct QuantizationError {
  double clipped_share = 0;       // of the values, 0..1
  double signal_to_noise_db = 0;  // sum of x^2 over sum of squared errors; infinite without error
  double rest_noise_share = 0;    // squared error over x^2, of all tokens but the first, 0 if none
  double first_noise_share = 0;   // the same of first tokens
};
QuantizationError ExpectedError(const SiteStatistics& site, float scale, int bits,
                                bool without_first);

}  // namespace sasq

#endif  // SASQ_QUANT_METHODS_STATIC_SCALES_H_
