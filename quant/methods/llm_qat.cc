// llm_qat: data-free quantization-aware training (LLM-QAT, Liu et al., arXiv 2305.17888). The model
// writes its own training text (section 2.1; quant/methods/self_generation.h); then the weights of
// its linears are trained under fake quantization of weights and activations to give the
// unquantized model's predictions on that text (sections 2.2 and 2.3;
// quant/train/weight_trainer.h). Kept small but whole: what it costs a step is what the comparison
// wants to know. The KV cache is not quantized, as in every method here.
//
// Published hyper-parameters: AdamW without weight decay, learning rate 2e-5, cosine; 100,000
// generated sequences of up to 2,048 tokens. TrainingOptions has the same learning rate and, by
// default, 30 steps of one sequence of 256 tokens.
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/resource_usage.h"
#include "common/status_macros.h"
#include "quant/format/flop_count.h"
#include "quant/methods/methods.h"
#include "quant/methods/self_generation.h"
#include "quant/train/weight_trainer.h"

namespace sasq {
namespace {

class LlmQat final : public Method {
 public:
  explicit LlmQat(const v1::Recipe& recipe) : recipe_(recipe) {}

  absl::StatusOr<PreparedModel> PrepareModel(const MethodInputs& inputs) const override {
    PreparedModel prepared;
    prepared.key = Key(inputs.seed);
    SASQ_ASSIGN_OR_RETURN(const std::vector<std::vector<int32_t>> texts, Write(inputs, prepared));
    SASQ_RETURN_IF_ERROR(Train(inputs, texts, prepared));
    return prepared;
  }

  std::optional<SitePrecision> precision() const override {
    return recipe_.activations() == v1::ACTIVATIONS_STATIC ? SitePrecision::kStatic
                                                           : SitePrecision::kDynamic;
  }

 private:
  WeightTrainerOptions TrainerOptions() const {
    WeightTrainerOptions options;
    options.step_count = recipe_.training().step_count();
    options.learning_rate = recipe_.training().learning_rate();
    options.warmup_step_count = recipe_.training().warmup_step_count();
    if (recipe_.weight_bits() != 0) options.weight_bits = recipe_.weight_bits();
    if (recipe_.activation_bits() != 0) options.activation_bits = recipe_.activation_bits();
    // A prefix takes the first token's place: what it spares the rest is not trained around either.
    options.leading_tokens_float = recipe_.first_token() == v1::FIRST_TOKEN_FLOAT ||
                                   recipe_.first_token() == v1::FIRST_TOKEN_PREFIX;
    return options;
  }

  // One text for each step. Every token but the last is read once, over a cache: the arithmetic of
  // one forward pass.
  absl::StatusOr<std::vector<std::vector<int32_t>>> Write(const MethodInputs& inputs,
                                                          PreparedModel& prepared) const {
    const double cpu_seconds_before = ProcessCpuSeconds();
    SelfGenerationOptions options;
    options.sequence_count = recipe_.training().step_count();
    options.token_count = recipe_.training().window_tokens();
    options.seed = inputs.seed;
    options.stop = inputs.stop;
    SASQ_ASSIGN_OR_RETURN(std::vector<std::vector<int32_t>> texts,
                          GenerateTrainingText(inputs.model, options));
    const double cpu_seconds = ProcessCpuSeconds() - cpu_seconds_before;
    const int64_t token_count = options.sequence_count * options.token_count;
    const double flop_count = static_cast<double>(options.sequence_count) *
                              ForwardFlopCount(inputs.model->config(), options.token_count - 1);
    prepared.bill.token_count += token_count;
    prepared.bill.flop_count += flop_count;
    prepared.bill.cpu_seconds += cpu_seconds;
    prepared.notes.push_back(absl::StrFormat(
        "the model wrote %d sequences, %d tokens, in %.1f CPU seconds and %.3g FLOPs; the bill has "
        "them beside the training's own tokens",
        options.sequence_count, token_count, cpu_seconds, flop_count));
    return texts;
  }

  absl::Status Train(const MethodInputs& inputs, const std::vector<std::vector<int32_t>>& texts,
                     PreparedModel& prepared) const {
    const double cpu_seconds_before = ProcessCpuSeconds();
    const ModelConfig& config = inputs.model->config();
    SASQ_ASSIGN_OR_RETURN(const std::unique_ptr<WeightTrainer> trainer,
                          WeightTrainer::Create(inputs.model, TrainerOptions()));
    TrainingBill& bill = prepared.bill;
    for (const std::vector<int32_t>& text : texts) {
      SASQ_ASSIGN_OR_RETURN(const double loss, trainer->Step(text, inputs.stop));
      const int64_t token_count = static_cast<int64_t>(text.size());
      bill.step_losses.push_back(loss);
      bill.token_count += token_count;
      // The teacher's forward pass, then the student's step.
      bill.flop_count +=
          ForwardFlopCount(config, token_count) + WeightTrainingStepFlopCount(config, token_count);
      const int64_t step = static_cast<int64_t>(bill.step_losses.size());
      if (inputs.on_step) inputs.on_step({step, loss});
    }
    SASQ_ASSIGN_OR_RETURN(prepared.model, trainer->Finish());
    bill.cpu_seconds += ProcessCpuSeconds() - cpu_seconds_before;
    bill.trained_bytes = config.LinearParameterCount() * static_cast<int64_t>(sizeof(float));
    prepared.notes.push_back(absl::StrFormat(
        "%d weights trained; divergence from the float model %.5f nats at the first step, %.5f at "
        "the last",
        config.LinearParameterCount(), bill.step_losses.front(), bill.step_losses.back()));
    return absl::OkStatus();
  }

  std::string Key(uint64_t seed) const {
    const WeightTrainerOptions options = TrainerOptions();
    return absl::StrCat("llm_qat seed ", seed, " steps ", options.step_count, " warmup ",
                        options.warmup_step_count, " rate ", options.learning_rate, " tokens ",
                        recipe_.training().window_tokens(), " weight bits ", options.weight_bits,
                        " bits ", options.activation_bits,
                        options.leading_tokens_float ? " first token float" : "");
  }

  const v1::Recipe recipe_;
};

}  // namespace

std::unique_ptr<const Method> MakeLlmQat(const v1::Recipe& recipe) {
  return std::make_unique<LlmQat>(recipe);
}

}  // namespace sasq
