// What tests of model transforms share: the models that they are tried on, and the comparison.
#ifndef SASQ_TESTS_QUANT_METHODS_TRANSFORMED_MODEL_H_
#define SASQ_TESTS_QUANT_METHODS_TRANSFORMED_MODEL_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "quant/methods/method.h"
#include "tests/support/tiny_model.h"

namespace sasq::testing {

struct ModelVariant {
  std::string name;
  TinyModelOptions options;
};

// Tied and untied, with and without biases, norms of q and k and groups of heads; sizes whose
// Hadamard matrices are of each construction.
std::vector<ModelVariant> TransformVariants();

// Tokens without a meaning, 0..255.
std::vector<int32_t> SomeTokens(int count);

// Logits of the float model, float32 [tokens, vocab_size].
at::Tensor Logits(const std::shared_ptr<const Model>& model, absl::Span<const int32_t> tokens);

// The largest difference of the logits of two models over the largest logit.
double LogitDistance(const std::shared_ptr<const Model>& a, const std::shared_ptr<const Model>& b);

// What rounding may do to LogitDistance: weights and activations are rounded to 2^-24 of their
// value, which sums of up to a few hundred terms in a few layers and norms amplify some ten times;
// anything that is wrong changes logits by more than 1e-2.
inline constexpr double kFloatRounding = 1e-5;

// Inputs of a method on `model`, with three windows of 32 tokens for calibration. Copies share the
// windows; statistics are collected on each call.
class TransformInputs {
 public:
  explicit TransformInputs(std::shared_ptr<const Model> model);

  MethodInputs Get() const;
  std::shared_ptr<const ActivationStatistics> Statistics(
      const std::shared_ptr<const Model>& model) const;

 private:
  const std::shared_ptr<const Model> model_;
  const std::vector<int32_t> tokens_;
  std::vector<absl::Span<const int32_t>> windows_;
};

// `model` with the weights that write one channel of the residual stream (the embeddings), of the
// values of the first head and of the input of down_proj 30 times as large.
std::shared_ptr<const Model> WithOutliers(const std::shared_ptr<const Model>& model,
                                          int64_t channel);

// The largest |x| of a site's channels over their mean: near 1 without outliers.
double Peak(const SiteStatistics& site);

}  // namespace sasq::testing

#endif  // SASQ_TESTS_QUANT_METHODS_TRANSFORMED_MODEL_H_
