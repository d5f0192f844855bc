#include "quant/model/rope.h"

#include <cmath>
#include <cstdint>
#include <numbers>

namespace sasq {
namespace {

double Llama3Frequency(double frequency, const RopeScaling& scaling) {
  const double wavelength = 2 * std::numbers::pi / frequency;
  const double original = static_cast<double>(scaling.original_max_position_count);
  if (wavelength > original / scaling.low_freq_factor) return frequency / scaling.factor;
  if (wavelength < original / scaling.high_freq_factor) return frequency;
  const double kept = (original / wavelength - scaling.low_freq_factor) /
                      (scaling.high_freq_factor - scaling.low_freq_factor);
  return kept * frequency + (1 - kept) * frequency / scaling.factor;
}

}  // namespace

std::vector<double> RopeFrequencies(const ModelConfig& config) {
  std::vector<double> frequencies;
  for (int64_t i = 0; i < config.head_dim / 2; ++i) {
    const double exponent = -2.0 * static_cast<double>(i) / static_cast<double>(config.head_dim);
    const double frequency = std::pow(config.rope_theta, exponent);
    switch (config.rope_scaling.kind) {
      case RopeScalingKind::kNone:
        frequencies.push_back(frequency);
        break;
      case RopeScalingKind::kLinear:
        frequencies.push_back(frequency / config.rope_scaling.factor);
        break;
      case RopeScalingKind::kLlama3:
        frequencies.push_back(Llama3Frequency(frequency, config.rope_scaling));
        break;
    }
  }
  return frequencies;
}

}  // namespace sasq
