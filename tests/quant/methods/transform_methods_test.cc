// The methods that are a transform and nothing else.
#include <gtest/gtest.h>

#include "quant/methods/methods.h"
#include "quant/model/model_parts.h"
#include "tests/quant/methods/transformed_model.h"
#include "tests/quant/status_matchers.h"

namespace sasq::testing {
namespace {

class TransformMethodsTest : public ::testing::Test {
 protected:
  absl::StatusOr<PreparedModel> Prepare(const v1::Recipe& recipe) const {
    return MakeMethod(recipe).value()->PrepareModel(inputs_.Get());
  }

  const std::shared_ptr<const Model> model_ = Model::Load(MakeTinyModel()).value();
  const TransformInputs inputs_{model_};
};

TEST_F(TransformMethodsTest, QuaRotRotates) {
  for (const v1::Rotation rotation : {v1::ROTATION_FOLDED, v1::ROTATION_ONLINE}) {
    v1::Recipe recipe;
    recipe.set_method(v1::METHOD_QUAROT);
    recipe.set_rotation(rotation);
    const PreparedModel prepared = Prepare(recipe).value();
    EXPECT_NE(prepared.model, model_);
    EXPECT_LT(LogitDistance(model_, prepared.model), kFloatRounding);
    EXPECT_EQ(prepared.model->parts().down_hadamard != nullptr, rotation == v1::ROTATION_ONLINE);
  }
}

TEST_F(TransformMethodsTest, SmoothQuantSmooths) {
  v1::Recipe recipe;
  recipe.set_method(v1::METHOD_SMOOTHQUANT);
  recipe.mutable_smoothing()->set_alpha(0.7);
  const PreparedModel prepared = Prepare(recipe).value();
  EXPECT_LT(LogitDistance(model_, prepared.model), kFloatRounding);
  EXPECT_LT(Peak(inputs_.Statistics(prepared.model)->sites[0]),
            Peak(inputs_.Statistics(model_)->sites[0]));
  recipe.mutable_smoothing()->clear_alpha();
  EXPECT_EQ(Prepare(recipe)->notes.size(), 2u);
}

TEST_F(TransformMethodsTest, ActivationsAreAsTheRecipeSays) {
  for (const v1::Method name : {v1::METHOD_QUAROT, v1::METHOD_SMOOTHQUANT}) {
    v1::Recipe recipe;
    recipe.set_method(name);
    recipe.set_activations(v1::ACTIVATIONS_STATIC);
    EXPECT_EQ(MakeMethod(recipe).value()->precision(), SitePrecision::kStatic);
    recipe.set_activations(v1::ACTIVATIONS_DYNAMIC);
    EXPECT_EQ(MakeMethod(recipe).value()->precision(), SitePrecision::kDynamic);
    EXPECT_FALSE(MakeMethod(recipe).value()->trains_scales());
  }
}

TEST_F(TransformMethodsTest, SasqCombinesThem) {
  v1::Recipe recipe;
  recipe.set_method(v1::METHOD_SASQ);
  recipe.set_rotation(v1::ROTATION_FOLDED);
  recipe.mutable_smoothing()->set_alpha(0.5);
  recipe.mutable_smoothing()->set_include_down(true);
  const PreparedModel prepared = Prepare(recipe).value();
  EXPECT_EQ(prepared.key, "hadamard folded seed 0, smoothed by alpha 0.5 with down_in");
  EXPECT_LT(LogitDistance(model_, prepared.model), kFloatRounding);
  recipe.set_rotation(v1::ROTATION_ONLINE);
  EXPECT_TRUE(IsInvalid(Prepare(recipe), "UNSUPPORTED_MODEL", "ROTATION_FOLDED"));
}

}  // namespace
}  // namespace sasq::testing
