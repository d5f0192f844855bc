#include "tests/quant/model/naive_model.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>

#include "absl/strings/str_cat.h"

namespace sasq::testing {
namespace {

// Value of `bits` with the given numbers of exponent and mantissa bits, as IEEE 754 has it.
double DecodeIeee(uint32_t bits, int exponent_bits, int mantissa_bits) {
  const uint32_t mantissa = bits & ((1u << mantissa_bits) - 1);
  const int exponent = static_cast<int>((bits >> mantissa_bits) & ((1u << exponent_bits) - 1));
  const double sign = (bits >> (exponent_bits + mantissa_bits)) & 1 ? -1 : 1;
  const int bias = (1 << (exponent_bits - 1)) - 1;
  if (exponent == 2 * bias + 1) return mantissa == 0 ? sign * INFINITY : NAN;
  const double fraction = std::ldexp(mantissa, -mantissa_bits);
  return sign * (exponent == 0 ? std::ldexp(fraction, 1 - bias)
                               : std::ldexp(1 + fraction, exponent - bias));
}

std::vector<double> RmsNorm(const std::vector<double>& x, const std::vector<double>& weight,
                            double epsilon) {
  double squares = 0;
  for (const double value : x) squares += value * value;
  const double factor = 1 / std::sqrt(squares / static_cast<double>(x.size()) + epsilon);
  std::vector<double> y;
  for (size_t i = 0; i < x.size(); ++i) y.push_back(x[i] * factor * weight[i]);
  return y;
}

class NaiveModel {
 public:
  NaiveModel(const ModelConfig& config, const Checkpoint& checkpoint)
      : config_(config), checkpoint_(checkpoint) {}

  std::vector<double> Weights(const std::string& name) const {
    return DecodeWeights(checkpoint_.Find(name).value());
  }

  Matrix Linear(const std::string& name, const Matrix& x) const {
    const std::vector<double> weight = Weights(name + ".weight");
    const bool has_bias = checkpoint_.Contains(name + ".bias");
    const std::vector<double> bias =
        has_bias ? Weights(name + ".bias") : std::vector<double>(weight.size() / x[0].size());
    Matrix y;
    for (const std::vector<double>& row : x) {
      y.push_back(bias);
      for (size_t n = 0; n < bias.size(); ++n) {
        for (size_t k = 0; k < row.size(); ++k) y.back()[n] += row[k] * weight[n * row.size() + k];
      }
    }
    return y;
  }

  Matrix Norm(const std::string& name, const Matrix& x) const {
    const std::vector<double> weight = Weights(name);
    Matrix y;
    for (const std::vector<double>& row : x) {
      y.push_back(RmsNorm(row, weight, config_.rms_norm_epsilon));
    }
    return y;
  }

  double Frequency(int64_t pair) const {
    const double plain =
        1 / std::pow(config_.rope_theta,
                     2.0 * static_cast<double>(pair) / static_cast<double>(config_.head_dim));
    const RopeScaling& scaling = config_.rope_scaling;
    if (scaling.kind == RopeScalingKind::kNone) return plain;
    if (scaling.kind == RopeScalingKind::kLinear) return plain / scaling.factor;
    const double turns =
        static_cast<double>(scaling.original_max_position_count) * plain / (2 * std::numbers::pi);
    const double kept = std::clamp(
        (turns - scaling.low_freq_factor) / (scaling.high_freq_factor - scaling.low_freq_factor),
        0.0, 1.0);
    return plain * (kept + (1 - kept) / scaling.factor);
  }

  // One head's slice of row `x`, normalized and rotated to `position`.
  std::vector<double> Head(const std::vector<double>& x, int64_t head, int64_t position,
                           const std::vector<double>& norm) const {
    const int64_t dim = config_.head_dim;
    std::vector<double> in(x.begin() + head * dim, x.begin() + (head + 1) * dim);
    if (!norm.empty()) in = RmsNorm(in, norm, config_.rms_norm_epsilon);
    std::vector<double> out(in.size());
    for (int64_t i = 0; i < dim / 2; ++i) {
      const double angle = static_cast<double>(position) * Frequency(i);
      out[i] = in[i] * std::cos(angle) - in[i + dim / 2] * std::sin(angle);
      out[i + dim / 2] = in[i + dim / 2] * std::cos(angle) + in[i] * std::sin(angle);
    }
    return out;
  }

  Matrix Attention(const std::string& prefix, const Matrix& x) const {
    const Matrix q = Linear(prefix + "q_proj", x);
    const Matrix k = Linear(prefix + "k_proj", x);
    const Matrix v = Linear(prefix + "v_proj", x);
    std::vector<double> q_norm, k_norm;
    if (config_.qk_norm) {
      q_norm = Weights(prefix + "q_norm.weight");
      k_norm = Weights(prefix + "k_norm.weight");
    }
    const int64_t dim = config_.head_dim;
    const int64_t tokens = static_cast<int64_t>(x.size());
    Matrix out(x.size(), std::vector<double>(static_cast<size_t>(config_.head_count * dim)));
    for (int64_t head = 0; head < config_.head_count; ++head) {
      const int64_t kv_head = head / (config_.head_count / config_.kv_head_count);
      for (int64_t t = 0; t < tokens; ++t) {
        const std::vector<double> query = Head(q[t], head, t, q_norm);
        std::vector<double> weights;
        double sum = 0;
        for (int64_t u = 0; u <= t; ++u) {
          const std::vector<double> key = Head(k[u], kv_head, u, k_norm);
          double score = 0;
          for (int64_t i = 0; i < dim; ++i) score += query[i] * key[i];
          weights.push_back(std::exp(score / std::sqrt(static_cast<double>(dim))));
          sum += weights.back();
        }
        for (int64_t u = 0; u <= t; ++u) {
          for (int64_t i = 0; i < dim; ++i) {
            out[t][head * dim + i] += weights[u] / sum * v[u][kv_head * dim + i];
          }
        }
      }
    }
    return Linear(prefix + "o_proj", out);
  }

  Matrix Mlp(const std::string& prefix, const Matrix& x) const {
    Matrix product = Linear(prefix + "gate_proj", x);
    const Matrix up = Linear(prefix + "up_proj", x);
    for (size_t t = 0; t < x.size(); ++t) {
      for (size_t i = 0; i < up[t].size(); ++i) {
        product[t][i] = product[t][i] / (1 + std::exp(-product[t][i])) * up[t][i];
      }
    }
    return Linear(prefix + "down_proj", product);
  }

 private:
  const ModelConfig& config_;
  const Checkpoint& checkpoint_;
};

void AddTo(Matrix& x, const Matrix& y) {
  for (size_t t = 0; t < x.size(); ++t) {
    for (size_t i = 0; i < x[t].size(); ++i) x[t][i] += y[t][i];
  }
}

}  // namespace

std::vector<double> DecodeWeights(const TensorView& view) {
  std::vector<double> values;
  const int64_t bytes = DtypeSizeBytes(view.dtype);
  for (int64_t i = 0; i < view.element_count(); ++i) {
    uint32_t bits = 0;
    std::memcpy(&bits, view.bytes.data() + i * bytes, static_cast<size_t>(bytes));
    values.push_back(view.dtype == Dtype::kF32    ? DecodeIeee(bits, 8, 23)
                     : view.dtype == Dtype::kBF16 ? DecodeIeee(bits, 8, 7)
                                                  : DecodeIeee(bits, 5, 10));
  }
  return values;
}

Matrix NaiveForward(const ModelConfig& config, const Checkpoint& checkpoint,
                    const std::vector<int32_t>& tokens) {
  const NaiveModel model(config, checkpoint);
  const std::vector<double> embeddings = model.Weights("model.embed_tokens.weight");
  Matrix hidden;
  for (const int32_t token : tokens) {
    hidden.emplace_back(embeddings.begin() + token * config.hidden_size,
                        embeddings.begin() + (token + 1) * config.hidden_size);
  }
  for (int64_t layer = 0; layer < config.layer_count; ++layer) {
    const std::string prefix = absl::StrCat("model.layers.", layer, ".");
    AddTo(hidden, model.Attention(prefix + "self_attn.",
                                  model.Norm(prefix + "input_layernorm.weight", hidden)));
    AddTo(hidden, model.Mlp(prefix + "mlp.",
                            model.Norm(prefix + "post_attention_layernorm.weight", hidden)));
  }
  return model.Norm("model.norm.weight", hidden);
}

std::vector<double> NaiveLosses(const ModelConfig& config, const Checkpoint& checkpoint,
                                const Matrix& hidden, const std::vector<int32_t>& tokens) {
  const NaiveModel model(config, checkpoint);
  const Matrix logits =
      model.Linear(config.tie_word_embeddings ? "model.embed_tokens" : "lm_head", hidden);
  std::vector<double> losses;
  for (size_t t = 0; t + 1 < tokens.size(); ++t) {
    double sum = 0;
    for (const double logit : logits[t]) sum += std::exp(logit);
    losses.push_back(std::log(sum) - logits[t][static_cast<size_t>(tokens[t + 1])]);
  }
  return losses;
}

}  // namespace sasq::testing
