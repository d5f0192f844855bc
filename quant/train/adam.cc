#include "quant/train/adam.h"

#include <cmath>
#include <numbers>

#include "common/status_macros.h"

namespace sasq {

void AdamStep(const AdamOptions& options, int64_t step, double learning_rate,
              absl::Span<const double> gradient, AdamMoments& moments,
              absl::Span<double> parameters) {
  SASQ_CHECK(gradient.size() == parameters.size() && moments.first.size() == parameters.size() &&
             moments.second.size() == parameters.size());
  const double correction1 = 1 - std::pow(options.beta1, static_cast<double>(step));
  const double correction2 = 1 - std::pow(options.beta2, static_cast<double>(step));
  for (size_t i = 0; i < parameters.size(); ++i) {
    double& first = moments.first[i];
    double& second = moments.second[i];
    first = options.beta1 * first + (1 - options.beta1) * gradient[i];
    second = options.beta2 * second + (1 - options.beta2) * gradient[i] * gradient[i];
    parameters[i] -=
        learning_rate * (first / correction1) / (std::sqrt(second / correction2) + options.epsilon);
  }
}

double CosineLearningRate(double peak, int64_t warmup_step_count, int64_t step_count,
                          int64_t step) {
  if (step <= warmup_step_count) {
    return peak * static_cast<double>(step) / static_cast<double>(warmup_step_count);
  }
  const double progress = static_cast<double>(step - 1 - warmup_step_count) /
                          static_cast<double>(step_count - warmup_step_count);
  return peak * 0.5 * (1 + std::cos(std::numbers::pi * progress));
}

}  // namespace sasq
