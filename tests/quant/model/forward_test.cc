#include "quant/model/forward.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <stop_token>
#include <string>
#include <vector>

#include "quant/model/compute_threads.h"
#include "quant/model/kv_cache.h"
#include "quant/model/next_token_loss.h"
#include "quant/model/site_executor.h"
#include "tests/quant/model/naive_model.h"
#include "tests/support/tiny_model.h"

namespace sasq::testing {
namespace {

using ::testing::HasSubstr;

std::vector<int32_t> SomeTokens(int count) {
  std::vector<int32_t> tokens;
  for (int i = 0; i < count; ++i) tokens.push_back((i * i * 7 + 13 * i + 5) % 256);
  return tokens;
}

struct Variant {
  std::string name;
  TinyModelOptions options;
};

std::vector<Variant> Variants() {
  const auto with = [](auto change) {
    TinyModelOptions options;
    change(options);
    return options;
  };
  return {
      {"Llama", {}},
      {"MultiHead", with([](auto& o) { o.kv_head_count = 4; })},
      {"MultiQuery", with([](auto& o) { o.kv_head_count = 1; })},
      {"Untied", with([](auto& o) { o.tie_word_embeddings = false; })},
      {"Biases", with([](auto& o) { o.attention_bias = o.mlp_bias = true; })},
      {"WideHeads", with([](auto& o) { o.head_dim = 24; })},
      {"Mistral", with([](auto& o) { o.architecture = "MistralForCausalLM"; })},
      {"Qwen2", with([](auto& o) { o.architecture = "Qwen2ForCausalLM"; })},
      {"Qwen3", with([](auto& o) {
         o.architecture = "Qwen3ForCausalLM";
         o.qk_norm = true;
       })},
      {"RopeLinear",
       with([](auto& o) { o.rope_scaling = R"({"type": "linear", "factor": 4.0})"; })},
      {"RopeLlama3", with([](auto& o) {
         o.rope_scaling = R"({"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
                              "high_freq_factor": 4.0, "original_max_position_embeddings": 64})";
       })},
      {"Float32", with([](auto& o) { o.dtype = Dtype::kF32; })},
      {"Float16", with([](auto& o) { o.dtype = Dtype::kF16; })},
  };
}

class ForwardVariantTest : public ::testing::TestWithParam<Variant> {};

TEST_P(ForwardVariantTest, AgreesWithNaiveModel) {
  const std::shared_ptr<const Model> model = Model::Load(MakeTinyModel(GetParam().options)).value();
  const std::vector<int32_t> tokens = SomeTokens(23);
  const std::unique_ptr<SiteExecutor> executor = MakeFloatExecutor(model);
  const at::Tensor hidden = Forward(*model, tokens, *executor).value();

  const Matrix expected = NaiveForward(model->config(), model->checkpoint(), tokens);
  const float* value = hidden.const_data_ptr<float>();
  // Hidden states are of order 1 after the norm; a chain of a dozen float32 sums of at most 96
  // products loses a few units of 2^-24 each.
  for (const std::vector<double>& row : expected) {
    for (const double want : row) ASSERT_NEAR(*value++, want, 2e-5);
  }

  const std::vector<double> losses =
      NaiveLosses(model->config(), model->checkpoint(), expected, tokens);
  double sum = 0;
  for (const double loss : losses) sum += loss;
  const SequenceLoss loss = NextTokenLoss(*model).Compute(hidden, tokens, 0).value();
  EXPECT_EQ(loss.count, 22);
  EXPECT_NEAR(loss.sum_nats, sum, 1e-4 * 22);
}

INSTANTIATE_TEST_SUITE_P(All, ForwardVariantTest, ::testing::ValuesIn(Variants()),
                         [](const auto& variant) { return variant.param.name; });

// What follows a cache is what stands at the same place of the whole sequence.
TEST_P(ForwardVariantTest, GoesOnFromACache) {
  const std::shared_ptr<const Model> model = Model::Load(MakeTinyModel(GetParam().options)).value();
  const std::vector<int32_t> tokens = SomeTokens(23);
  const std::unique_ptr<SiteExecutor> executor = MakeFloatExecutor(model);
  const at::Tensor whole = Forward(*model, tokens, *executor).value();
  for (const std::vector<size_t>& lengths : {std::vector<size_t>{5, 18}, {22, 1}, {1, 1, 1, 20}}) {
    KvCache cache;
    size_t begin = 0;
    for (const size_t length : lengths) {
      const at::Tensor part = Forward(*model, absl::MakeConstSpan(tokens).subspan(begin, length),
                                      *executor, {.past = &cache, .kept = &cache})
                                  .value();
      const at::Tensor expected =
          whole.narrow(0, static_cast<int64_t>(begin), static_cast<int64_t>(length));
      // Sums in another order: as above.
      EXPECT_LT((part - expected).abs().max().item<float>(), 2e-5f);
      begin += length;
    }
    EXPECT_EQ(cache.token_count, 23);
  }
}

TEST_P(ForwardVariantTest, ABatchIsItsSequences) {
  const std::shared_ptr<const Model> model = Model::Load(MakeTinyModel(GetParam().options)).value();
  const std::vector<int32_t> tokens = SomeTokens(24);
  const std::unique_ptr<SiteExecutor> executor = MakeFloatExecutor(model);
  KvCache cache;
  std::vector<int32_t> first, second;
  for (size_t sequence = 0; sequence < 3; ++sequence) {
    first.insert(first.end(), tokens.begin() + sequence * 8, tokens.begin() + sequence * 8 + 7);
    second.push_back(tokens[sequence * 8 + 7]);
  }
  const at::Tensor begin = ForwardBatch(*model, first, 3, *executor, {.kept = &cache}).value();
  const at::Tensor end =
      ForwardBatch(*model, second, 3, *executor, {.past = &cache, .kept = &cache}).value();
  for (int64_t sequence = 0; sequence < 3; ++sequence) {
    const at::Tensor alone =
        Forward(*model, absl::MakeConstSpan(tokens).subspan(sequence * 8, 8), *executor).value();
    EXPECT_LT((begin.narrow(0, sequence * 7, 7) - alone.narrow(0, 0, 7)).abs().max().item<float>(),
              2e-5f);
    EXPECT_LT((end[sequence] - alone[7]).abs().max().item<float>(), 2e-5f);
  }
}

TEST(ForwardTest, SameBitsAgain) {
  const std::shared_ptr<const Model> model = Model::Load(MakeTinyModel()).value();
  const std::unique_ptr<SiteExecutor> executor = MakeFloatExecutor(model);
  const at::Tensor first = Forward(*model, SomeTokens(100), *executor).value();
  const at::Tensor second = Forward(*model, SomeTokens(100), *executor).value();
  EXPECT_TRUE(first.equal(second));
}

TEST(ForwardTest, RefusesTokensThatDoNotFit) {
  TinyModelOptions options;
  options.max_position_count = 32;
  const std::shared_ptr<const Model> model = Model::Load(MakeTinyModel(options)).value();
  const std::unique_ptr<SiteExecutor> executor = MakeFloatExecutor(model);
  const auto status = [&](const std::vector<int32_t>& tokens) {
    return Forward(*model, tokens, *executor).status();
  };
  EXPECT_TRUE(status(SomeTokens(32)).ok());
  for (const std::vector<int32_t>& tokens : {std::vector<int32_t>{}, SomeTokens(33)}) {
    EXPECT_EQ(status(tokens).code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status(tokens).message()), HasSubstr("want 1..32"));
  }
  for (const int32_t token : {-1, 300}) {
    EXPECT_EQ(status({1, token}).code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status({1, token}).message()), HasSubstr("vocabulary of 300"));
  }
}

// Asks for a stop at its third site.
class StoppingExecutor final : public SiteExecutor {
 public:
  explicit StoppingExecutor(std::shared_ptr<const Model> model)
      : float_executor_(MakeFloatExecutor(std::move(model))) {}

  absl::StatusOr<at::Tensor> Run(SiteId site, const at::Tensor& x, int64_t leading_rows) override {
    if (++run_count == 3) stop.request_stop();
    return float_executor_->Run(site, x, leading_rows);
  }

  std::stop_source stop;
  int run_count = 0;

 private:
  const std::unique_ptr<SiteExecutor> float_executor_;
};

TEST(ForwardTest, StopsWithinALayer) {
  const std::shared_ptr<const Model> model = Model::Load(MakeTinyModel()).value();
  StoppingExecutor executor(model);
  const absl::StatusOr<at::Tensor> hidden =
      Forward(*model, SomeTokens(8), executor, {.stop = executor.stop.get_token()});
  EXPECT_EQ(hidden.status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(executor.run_count, 3);
}

}  // namespace
}  // namespace sasq::testing
