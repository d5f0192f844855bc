// A model of the LLaMA family in plain loops and double precision, written from the papers: what
// the tensor code is compared with.
#ifndef SASQ_TESTS_QUANT_MODEL_NAIVE_MODEL_H_
#define SASQ_TESTS_QUANT_MODEL_NAIVE_MODEL_H_

#include <cstdint>
#include <string>
#include <vector>

#include "quant/format/checkpoint.h"
#include "quant/format/model_config.h"

namespace sasq::testing {

using Matrix = std::vector<std::vector<double>>;  // rows

// Elements of a stored tensor as doubles, decoded bit by bit.
std::vector<double> DecodeWeights(const TensorView& view);

// Hidden states after the final norm, [tokens][hidden_size].
Matrix NaiveForward(const ModelConfig& config, const Checkpoint& checkpoint,
                    const std::vector<int32_t>& tokens);

// Losses of predicting token t + 1 from row t, in nats, for t in 0..tokens-2.
std::vector<double> NaiveLosses(const ModelConfig& config, const Checkpoint& checkpoint,
                                const Matrix& hidden, const std::vector<int32_t>& tokens);

}  // namespace sasq::testing

#endif  // SASQ_TESTS_QUANT_MODEL_NAIVE_MODEL_H_
