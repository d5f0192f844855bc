#include "quant/model/model_builder.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/linear.h>
#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "quant/model/forward.h"
#include "quant/model/model_parts.h"
#include "tests/support/tiny_model.h"

namespace sasq::testing {
namespace {

TinyModelOptions WithBiases() {
  TinyModelOptions options;
  options.attention_bias = options.mlp_bias = true;
  return options;
}

at::Tensor Logits(const std::shared_ptr<const Model>& model) {
  const std::vector<int32_t> tokens = {5, 9, 200, 17, 17, 80};
  const std::unique_ptr<SiteExecutor> executor = MakeFloatExecutor(model);
  return at::linear(Forward(*model, tokens, *executor).value(),
                    FloatTensor(model->parts().head, at::kCPU));
}

TEST(ModelBuilderTest, UnchangedWeightsMakeTheSameModel) {
  const std::shared_ptr<const Model> model = Model::Load(MakeTinyModel(WithBiases())).value();
  const std::shared_ptr<const Model> copy = ModelBuilder(model).Build();
  EXPECT_TRUE(at::equal(Logits(copy), Logits(model)));
  EXPECT_EQ(&copy->checkpoint(), &model->checkpoint());
  EXPECT_EQ(copy->sites(), model->sites());
  EXPECT_TRUE(model->config().tie_word_embeddings);
  EXPECT_FALSE(copy->config().tie_word_embeddings);
}

TEST(ModelBuilderTest, ChangesReachTheNewModelAlone) {
  const std::shared_ptr<const Model> model = Model::Load(MakeTinyModel(WithBiases())).value();
  const at::Tensor before = Logits(model);
  const auto changed = [&](auto change) {
    ModelBuilder builder(model);
    change(builder);
    return !at::equal(Logits(builder.Build()), before);
  };
  const SiteId last_down = {1, SiteKind::kDownIn};
  EXPECT_TRUE(changed([](ModelBuilder& b) { b.embeddings().mul_(2); }));
  EXPECT_TRUE(changed([](ModelBuilder& b) { b.head().mul_(2); }));
  EXPECT_TRUE(changed([](ModelBuilder& b) { b.final_norm().mul_(2); }));
  EXPECT_TRUE(changed([](ModelBuilder& b) { b.input_norm(1).mul_(2); }));
  EXPECT_TRUE(changed([](ModelBuilder& b) { b.post_attention_norm(0).mul_(2); }));
  EXPECT_TRUE(changed([&](ModelBuilder& b) { b.weights(last_down)[0].mul_(2); }));
  EXPECT_TRUE(changed([&](ModelBuilder& b) { b.biases(last_down)[0].mul_(2); }));
  EXPECT_TRUE(at::equal(Logits(model), before));
}

// The model keeps its weights when the builder and the model before it are gone.
TEST(ModelBuilderTest, BuildsOnAModelThatWasBuilt) {
  std::shared_ptr<const Model> model = Model::Load(MakeTinyModel()).value();
  const at::Tensor before = Logits(model);
  const Checkpoint* checkpoint = &model->checkpoint();
  for (int i = 0; i < 3; ++i) {
    ModelBuilder builder(model);
    builder.head() = builder.head() * 2;
    model = builder.Build();
  }
  EXPECT_TRUE(at::equal(Logits(model), before * 8));
  EXPECT_EQ(&model->checkpoint(), checkpoint);
}

}  // namespace
}  // namespace sasq::testing
