#include "quant/methods/rotation.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/matmul.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "quant/model/model_parts.h"
#include "tests/quant/methods/transformed_model.h"
#include "tests/quant/status_matchers.h"

namespace sasq::testing {
namespace {

std::shared_ptr<const Model> TinyModel(const TinyModelOptions& options = {}) {
  return Model::Load(MakeTinyModel(options)).value();
}

// A tiny model with one size of its own.
std::shared_ptr<const Model> TinyModel(int64_t TinyModelOptions::*size, int64_t value) {
  TinyModelOptions options;
  options.*size = value;
  return TinyModel(options);
}

class RotationTest : public ::testing::TestWithParam<ModelVariant> {};

TEST_P(RotationTest, LeavesTheFloatModelUnchanged) {
  const std::shared_ptr<const Model> model = TinyModel(GetParam().options);
  for (const bool online : {false, true}) {
    SCOPED_TRACE(online);
    const PreparedModel prepared = RotateByHadamard(TransformInputs(model).Get(), online).value();
    EXPECT_LT(LogitDistance(model, prepared.model), kFloatRounding);
    EXPECT_EQ(prepared.model->parts().down_hadamard != nullptr, online);
    for (const Model::Parts::Layer& layer : prepared.model->parts().layers) {
      EXPECT_TRUE((layer.input_norm == 1).all().item<bool>());
      EXPECT_TRUE((layer.post_attention_norm == 1).all().item<bool>());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, RotationTest, ::testing::ValuesIn(TransformVariants()),
                         [](const auto& variant) { return variant.param.name; });

TEST(RotationTest, ATransformedModelCanBeRotated) {
  const std::shared_ptr<const Model> model = TinyModel();
  const std::shared_ptr<const Model> changed = WithOutliers(model, 7);
  EXPECT_GT(LogitDistance(model, changed), 0.1);
  const PreparedModel prepared = RotateByHadamard(TransformInputs(changed).Get(), true).value();
  EXPECT_LT(LogitDistance(changed, prepared.model), kFloatRounding);
  EXPECT_EQ(&prepared.model->checkpoint(), &model->checkpoint());
}

TEST(RotationTest, SpreadsOutliersOfAChannel) {
  const std::shared_ptr<const Model> model = WithOutliers(TinyModel(), 7);
  const TransformInputs inputs(model);
  const auto plain = inputs.Statistics(model);
  const auto folded =
      inputs.Statistics(RotateByHadamard(inputs.Get(), /*online_down=*/false)->model);
  const auto online =
      inputs.Statistics(RotateByHadamard(inputs.Get(), /*online_down=*/true)->model);
  const auto peak = [](const auto& statistics, SiteKind kind) {
    return Peak(statistics->sites[static_cast<size_t>(SiteIndex({0, kind}))]);
  };
  // The outlier of one head of values stays within it: of two heads, 2 at best.
  for (const SiteKind kind : {SiteKind::kQkvIn, SiteKind::kGateUpIn, SiteKind::kOIn}) {
    SCOPED_TRACE(SiteKindName(kind));
    EXPECT_GT(peak(plain, kind), 3);
    EXPECT_LT(peak(folded, kind), 2.5);
    EXPECT_LT(peak(online, kind), 2.5);
  }
  EXPECT_GT(peak(plain, SiteKind::kDownIn), 10);
  EXPECT_GT(peak(folded, SiteKind::kDownIn), 10);
  EXPECT_LT(peak(online, SiteKind::kDownIn), 2);
}

// A model with massive activations, thirty times as deep.
TEST(RotationTest, LeavesARealModelUnchanged) {
  const char* folder = std::getenv("SASQ_MODEL_DIR");
  if (folder == nullptr) GTEST_SKIP() << "SASQ_MODEL_DIR is not set";
  const std::shared_ptr<const Model> model = Model::Load(folder).value();
  for (const bool online : {false, true}) {
    const PreparedModel prepared = RotateByHadamard(TransformInputs(model).Get(), online).value();
    const double distance = LogitDistance(model, prepared.model);
    RecordProperty("distance", absl::StrCat(distance));
    EXPECT_LT(distance, kFloatRounding);
  }
}

TEST(RotationTest, HadamardRotationsAreOrthogonalAndDependOnTheSeed) {
  const std::shared_ptr<const Model> model = TinyModel(&TinyModelOptions::hidden_size, 48);
  const Rotations zero = HadamardRotations(*model, false, 0).value();
  const Rotations again = HadamardRotations(*model, false, 0).value();
  const Rotations one = HadamardRotations(*model, false, 1).value();
  EXPECT_TRUE(at::equal(zero.residual, again.residual));
  EXPECT_FALSE(at::equal(zero.residual, one.residual));
  const auto expect_orthogonal = [](const at::Tensor& r) {
    EXPECT_EQ(r.scalar_type(), at::kDouble);
    // A few roundings of float64.
    EXPECT_TRUE(at::allclose(at::matmul(r, r.t()), at::eye(r.size(0), at::kDouble), 0, 1e-14));
  };
  expect_orthogonal(zero.residual);
  ASSERT_EQ(zero.values.size(), 2u);
  expect_orthogonal(zero.values[0]);
  EXPECT_EQ(zero.values[0].size(0), 16);
}

TEST(RotationTest, TheKeySaysWhatTheModelIs) {
  const TransformInputs inputs(TinyModel());
  MethodInputs seeded = inputs.Get();
  seeded.seed = 3;
  EXPECT_EQ(RotateByHadamard(inputs.Get(), false)->key, "hadamard folded seed 0");
  EXPECT_EQ(RotateByHadamard(seeded, true)->key, "hadamard online seed 3");
}

TEST(RotationTest, NamesTheSizeWithoutAHadamardMatrix) {
  const auto rotate = [](const std::shared_ptr<const Model>& model, bool online) {
    return RotateByHadamard(TransformInputs(model).Get(), online).status();
  };
  EXPECT_TRUE(IsInvalid(rotate(TinyModel(&TinyModelOptions::head_dim, 18), false),
                        "UNSUPPORTED_MODEL", "head_dim: there is no Hadamard matrix of order 18"));
  EXPECT_TRUE(IsInvalid(rotate(TinyModel(&TinyModelOptions::hidden_size, 70), false),
                        "UNSUPPORTED_MODEL", "hidden_size: "));
  const std::shared_ptr<const Model> odd_mlp = TinyModel(&TinyModelOptions::intermediate_size, 90);
  EXPECT_TRUE(IsInvalid(rotate(odd_mlp, true), "UNSUPPORTED_MODEL", "intermediate_size: "));
  EXPECT_TRUE(rotate(odd_mlp, false).ok());
}

TEST(RotationTest, Stops) {
  MethodInputs inputs = TransformInputs(TinyModel()).Get();
  std::stop_source source;
  source.request_stop();
  inputs.stop = source.get_token();
  EXPECT_EQ(RotateByHadamard(inputs, true).status().code(), absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace sasq::testing
