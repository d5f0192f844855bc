#include "tests/quant/methods/transformed_model.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/max.h>

#include <algorithm>
#include <numeric>

#include "quant/model/forward.h"
#include "quant/model/model_builder.h"
#include "quant/model/model_parts.h"

namespace sasq::testing {
namespace {

constexpr size_t kWindowTokens = 32;
constexpr size_t kWindowCount = 3;

}  // namespace

std::vector<ModelVariant> TransformVariants() {
  const auto with = [](auto change) {
    TinyModelOptions options;
    change(options);
    return options;
  };
  return {
      {"LlamaTied", {}},
      {"LlamaUntied", with([](auto& o) { o.tie_word_embeddings = false; })},
      {"MultiHead", with([](auto& o) { o.kv_head_count = 4; })},
      {"MultiQuery", with([](auto& o) { o.kv_head_count = 1; })},
      {"AllBiases", with([](auto& o) { o.attention_bias = o.mlp_bias = true; })},
      {"Qwen2", with([](auto& o) {
         o.architecture = "Qwen2ForCausalLM";
         o.hidden_size = 48;
         o.intermediate_size = 160;
       })},
      {"Qwen3", with([](auto& o) {
         o.architecture = "Qwen3ForCausalLM";
         o.qk_norm = true;
         o.hidden_size = 80;
         o.intermediate_size = 112;
         o.head_dim = 12;
       })},
      {"Mistral", with([](auto& o) {
         o.architecture = "MistralForCausalLM";
         o.hidden_size = 36;
         o.intermediate_size = 144;
       })},
  };
}

std::vector<int32_t> SomeTokens(int count) {
  std::vector<int32_t> tokens;
  for (int i = 0; i < count; ++i) tokens.push_back((i * i * 7 + 13 * i + 5) % 256);
  return tokens;
}

at::Tensor Logits(const std::shared_ptr<const Model>& model, absl::Span<const int32_t> tokens) {
  const std::unique_ptr<SiteExecutor> executor = MakeFloatExecutor(model);
  return at::linear(Forward(*model, tokens, *executor).value(),
                    FloatTensor(model->parts().head, at::kCPU));
}

double LogitDistance(const std::shared_ptr<const Model>& a, const std::shared_ptr<const Model>& b) {
  const std::vector<int32_t> tokens = SomeTokens(40);
  const at::Tensor want = Logits(a, tokens);
  const at::Tensor difference = Logits(b, tokens) - want;
  return difference.abs().max().item<double>() / want.abs().max().item<double>();
}

TransformInputs::TransformInputs(std::shared_ptr<const Model> model)
    : model_(std::move(model)), tokens_(SomeTokens(kWindowTokens * kWindowCount)) {
  for (size_t i = 0; i < kWindowCount; ++i) {
    windows_.push_back(absl::MakeConstSpan(tokens_).subspan(i * kWindowTokens, kWindowTokens));
  }
}

MethodInputs TransformInputs::Get() const {
  MethodInputs inputs;
  inputs.model = model_;
  inputs.calibration_windows = windows_;
  inputs.statistics = [this](const PreparedModel& prepared)
      -> absl::StatusOr<std::shared_ptr<const ActivationStatistics>> {
    return Statistics(prepared.model);
  };
  return inputs;
}

std::shared_ptr<const ActivationStatistics> TransformInputs::Statistics(
    const std::shared_ptr<const Model>& model) const {
  return std::make_shared<const ActivationStatistics>(
      CollectActivationStatistics(model, windows_).value());
}

std::shared_ptr<const Model> WithOutliers(const std::shared_ptr<const Model>& model,
                                          int64_t channel) {
  constexpr float kFactor = 30;
  ModelBuilder builder(model);
  builder.embeddings().select(1, channel).mul_(kFactor);
  for (int layer = 0; layer < model->config().layer_count; ++layer) {
    builder.weights({layer, SiteKind::kQkvIn})[2].select(0, channel).mul_(kFactor);
    builder.weights({layer, SiteKind::kGateUpIn})[1].select(0, channel).mul_(kFactor);
  }
  return builder.Build();
}

double Peak(const SiteStatistics& site) {
  const std::vector<float>& absmax = site.channel_absmax;
  const double sum = std::accumulate(absmax.begin(), absmax.end(), 0.0);
  return static_cast<double>(*std::max_element(absmax.begin(), absmax.end())) *
         static_cast<double>(absmax.size()) / sum;
}

}  // namespace sasq::testing
