// Static scales straight from calibration statistics.
#ifndef SASQ_QUANT_METHODS_STATIC_SCALES_H_
#define SASQ_QUANT_METHODS_STATIC_SCALES_H_

#include <vector>

#include "quant/methods/activation_statistics.h"

namespace sasq {

// Each site's mean over windows of the window's absmax, divided by 127. `without_first` leaves the
// first token of each window out. A site that was always zero gets the scale 1.
std::vector<float> AbsmaxScales(const ActivationStatistics& statistics, bool without_first);

// Each site's scale of least expected squared error |x - s * clamp(round(x / s), -127, 127)|^2
// over all values seen.
std::vector<float> MseScales(const ActivationStatistics& statistics, bool without_first);

}  // namespace sasq

#endif  // SASQ_QUANT_METHODS_STATIC_SCALES_H_
