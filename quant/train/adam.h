// Adam (Kingma and Ba, arXiv 1412.6980, algorithm 1) in double, and the learning rate's schedule.
#ifndef SASQ_QUANT_TRAIN_ADAM_H_
#define SASQ_QUANT_TRAIN_ADAM_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace sasq {

struct AdamOptions {
  double beta1 = 0.9;
  double beta2 = 0.95;
  double epsilon = 1e-8;
};

// First and second moments of the gradient. Plain data: checkpoints hold it.
struct AdamMoments {
  std::vector<double> first;
  std::vector<double> second;
};

// One update of `parameters`; `step` counts from 1. All have the same length.
void AdamStep(const AdamOptions& options, int64_t step, double learning_rate,
              absl::Span<const double> gradient, AdamMoments& moments,
              absl::Span<double> parameters);

// Learning rate of step 1..step_count: rises linearly to `peak` over the first `warmup_step_count`
// steps, then falls along half a cosine, to 0 after the last step.
double CosineLearningRate(double peak, int64_t warmup_step_count, int64_t step_count, int64_t step);

}  // namespace sasq

#endif  // SASQ_QUANT_TRAIN_ADAM_H_
