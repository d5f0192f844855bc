// The integers of an export are those that the job measured.
#include <ATen/TensorOperators.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/max.h>
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "quant/export/compressed_tensors.h"
#include "quant/format/site_linears.h"
#include "quant/format/weight_values.h"
#include "quant/methods/methods.h"
#include "quant/methods/rotation.h"
#include "quant/model/model_parts.h"
#include "quant/model/quantized_site.h"
#include "tests/quant/export/export_inputs.h"
#include "tests/quant/methods/transformed_model.h"

namespace sasq::testing {
namespace {

constexpr uint64_t kSeed = 7;
// The job multiplies by matrices, the export transforms by factors: sums in float64 in another
// order, so that a rounding to float32 may differ by its last bit. Then a code may differ by one.
constexpr double kFloatTolerance = 3e-7;
constexpr double kCodeShare = 1e-3;

class EngineIntegersTest : public ::testing::TestWithParam<ModelVariant> {
 protected:
  ScalePack Pack(const std::string& method, const std::string& more) const {
    return PackFor(folder_, SpecOf(method, more, std::to_string(kSeed)));
  }

  // Exports `model_` and opens the result.
  void Export(const ScalePack& pack) {
    ExportOptions options;
    options.model_folder = folder_;
    options.out_folder = MakeTemporaryFolder();
    const absl::Status status = ExportCompressedTensors(pack, options).status();
    ASSERT_TRUE(status.ok()) << status;
    made_ = Checkpoint::Open(options.out_folder).value();
  }

  std::vector<float> Values(const std::string& name) const {
    const TensorView view = made_->Find(name).value();
    std::vector<float> values(static_cast<size_t>(view.element_count()));
    ReadAsFloat(view, 0, view.element_count(), values.data());
    return values;
  }

  void ExpectClose(const std::string& name, const at::Tensor& want,
                   double tolerance = kFloatTolerance) const {
    const std::vector<float> values = Values(name);
    ASSERT_EQ(static_cast<int64_t>(values.size()), want.numel()) << name;
    const at::Tensor flat = want.to(at::kFloat).contiguous().view({-1});
    const float largest = at::max(at::abs(flat)).item<float>();
    for (size_t i = 0; i < values.size(); ++i) {
      ASSERT_NEAR(values[i], flat.const_data_ptr<float>()[i], tolerance * largest)
          << name << " " << i;
    }
  }

  // Codes and scales of every linear of `model`; returns how many codes differ, by one at most.
  int64_t CountOtherCodes(const Model& model) const {
    int64_t count = 0;
    for (size_t i = 0; i < model.sites().size(); ++i) {
      const ops::Quantized want = QuantizeSiteWeights(model.parts().linears[i], 8);
      const int8_t* codes = want.codes.const_data_ptr<int8_t>();
      const float* scales = want.scales.const_data_ptr<float>();
      for (const LinearShape& linear : LinearsOf(model.config(), model.sites()[i])) {
        const TensorView made = made_->Find(linear.name + ".weight").value();
        for (const char byte : made.bytes) {
          const int difference = static_cast<int8_t>(byte) - *codes++;
          EXPECT_LE(std::abs(difference), 1) << linear.name;
          count += difference != 0 ? 1 : 0;
        }
        for (const float scale : Values(linear.name + ".weight_scale")) {
          EXPECT_NEAR(scale, *scales, kFloatTolerance * *scales) << linear.name;
          ++scales;
        }
      }
    }
    return count;
  }

  void ExpectNorms(const Model& model, double tolerance) const {
    for (size_t i = 0; i < model.parts().layers.size(); ++i) {
      const std::string layer = absl::StrCat("model.layers.", i);
      ExpectClose(layer + ".input_layernorm.weight", model.parts().layers[i].input_norm, tolerance);
      ExpectClose(layer + ".post_attention_layernorm.weight",
                  model.parts().layers[i].post_attention_norm, tolerance);
    }
  }

  void ExpectBiases(const Model& model, double tolerance) const {
    for (size_t i = 0; i < model.sites().size(); ++i) {
      const std::vector<LinearShape> linears = LinearsOf(model.config(), model.sites()[i]);
      const std::vector<TensorView>& biases = model.parts().linears[i].biases;
      for (size_t j = 0; j < biases.size(); ++j) {
        ExpectClose(linears[j].name + ".bias", FloatTensor(biases[j], at::kCPU), tolerance);
      }
    }
  }

  const std::string folder_ = MakeTinyModel(GetParam().options);
  const std::shared_ptr<const Model> model_ = Model::Load(folder_).value();
  std::unique_ptr<const Checkpoint> made_;
};

TEST_P(EngineIntegersTest, Plain) {
  Export(Pack("METHOD_SASQ", ""));
  EXPECT_EQ(CountOtherCodes(*model_), 0);
}

TEST_P(EngineIntegersTest, FoldedRotation) {
  Export(Pack("METHOD_SASQ", R"("rotation": "ROTATION_FOLDED")"));
  MethodInputs inputs = TransformInputs(model_).Get();
  inputs.seed = kSeed;
  const std::shared_ptr<const Model> rotated = RotateByHadamard(inputs, false)->model;
  EXPECT_LT(static_cast<double>(CountOtherCodes(*rotated)),
            kCodeShare * static_cast<double>(model_->config().LinearParameterCount()));
  ExpectClose("model.embed_tokens.weight", FloatTensor(rotated->parts().embeddings, at::kCPU));
  ExpectClose("lm_head.weight", FloatTensor(rotated->parts().head, at::kCPU));
  ExpectClose("model.norm.weight", rotated->parts().final_norm);
  ExpectBiases(*rotated, kFloatTolerance);
}

// Smoothing as the method itself prepares it, with the factors that it keeps for the pack.
TEST_P(EngineIntegersTest, Smoothed) {
  const struct {
    v1::Method method;
    bool rotates, includes_down;
  } cases[] = {{v1::METHOD_SMOOTHQUANT, false, false},
               {v1::METHOD_SMOOTHQUANT, false, true},
               {v1::METHOD_SASQ, false, true},
               {v1::METHOD_SASQ, true, false},
               {v1::METHOD_SASQ, true, true}};
  const TransformInputs transform_inputs(model_);
  MethodInputs inputs = transform_inputs.Get();
  inputs.seed = kSeed;
  for (const auto& test : cases) {
    SCOPED_TRACE(v1::Method_Name(test.method) + (test.rotates ? " rotated" : "") +
                 (test.includes_down ? " with down_in" : ""));
    v1::Recipe recipe;
    recipe.set_method(test.method);
    recipe.set_activations(v1::ACTIVATIONS_STATIC);
    if (test.rotates) recipe.set_rotation(v1::ROTATION_FOLDED);
    recipe.mutable_smoothing()->set_alpha(0.7);
    recipe.mutable_smoothing()->set_include_down(test.includes_down);
    const PreparedModel prepared = MakeMethod(recipe).value()->PrepareModel(inputs).value();

    ScalePack pack = Pack(v1::Method_Name(test.method),
                          absl::StrCat(R"("smoothing": {"alpha": 0.7, "include_down": )",
                                       test.includes_down ? "true}" : "false}",
                                       test.rotates ? R"(, "rotation": "ROTATION_FOLDED")" : ""));
    pack.smoothing_factors = prepared.smoothing_factors;
    Export(pack);
    const int64_t other_codes = CountOtherCodes(*prepared.model);
    if (test.rotates) {
      EXPECT_LT(static_cast<double>(other_codes),
                kCodeShare * static_cast<double>(model_->config().LinearParameterCount()));
    } else {
      EXPECT_EQ(other_codes, 0);  // one rounding to float32 for each factor on both sides
    }
    const double tolerance = test.rotates ? kFloatTolerance : 0;
    ExpectNorms(*prepared.model, tolerance);
    ExpectBiases(*prepared.model, tolerance);
  }
}

TEST_P(EngineIntegersTest, SmoothedSitesThatAreNotStatic) {
  const TransformInputs inputs(model_);
  v1::Recipe recipe;
  recipe.set_method(v1::METHOD_SMOOTHQUANT);
  recipe.mutable_smoothing()->set_include_down(true);  // alpha is searched
  const PreparedModel prepared = MakeMethod(recipe).value()->PrepareModel(inputs.Get()).value();
  ScalePack pack = Pack("METHOD_SMOOTHQUANT", R"("smoothing": {"include_down": true})");
  pack.smoothing_factors = prepared.smoothing_factors;
  for (const SiteId& site : prepared.model->sites()) {
    site.layer == 0 ? MakeFloat(pack, site) : MakeDynamic(pack, site);
  }
  Export(pack);
  for (size_t i = 0; i < kSiteKindCount; ++i) {  // layer 0
    const std::vector<LinearShape> linears = LinearsOf(model_->config(), model_->sites()[i]);
    for (size_t j = 0; j < linears.size(); ++j) {
      ExpectClose(linears[j].name + ".weight",
                  FloatTensor(prepared.model->parts().linears[i].weights[j], at::kCPU), 0);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, EngineIntegersTest, ::testing::ValuesIn(TransformVariants()),
                         [](const auto& variant) { return variant.param.name; });

}  // namespace
}  // namespace sasq::testing
