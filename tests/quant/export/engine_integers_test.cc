// The integers of an export are those that the job measured.
#include <ATen/TensorOperators.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/max.h>
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <vector>

#include "quant/export/compressed_tensors.h"
#include "quant/format/site_linears.h"
#include "quant/format/weight_values.h"
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
  // Exports `model_` and opens the result.
  void Export(const std::string& more) {
    ExportOptions options;
    options.model_folder = folder_;
    options.out_folder = MakeTemporaryFolder();
    const ScalePack pack = PackFor(folder_, SpecOf("METHOD_SASQ", more, std::to_string(kSeed)));
    ASSERT_TRUE(ExportCompressedTensors(pack, options).ok());
    made_ = Checkpoint::Open(options.out_folder).value();
  }

  std::vector<float> Values(const std::string& name) const {
    const TensorView view = made_->Find(name).value();
    std::vector<float> values(static_cast<size_t>(view.element_count()));
    ReadAsFloat(view, 0, view.element_count(), values.data());
    return values;
  }

  void ExpectClose(const std::string& name, const at::Tensor& want) const {
    const std::vector<float> values = Values(name);
    ASSERT_EQ(static_cast<int64_t>(values.size()), want.numel()) << name;
    const at::Tensor flat = want.to(at::kFloat).contiguous().view({-1});
    const float largest = at::max(at::abs(flat)).item<float>();
    for (size_t i = 0; i < values.size(); ++i) {
      ASSERT_NEAR(values[i], flat.const_data_ptr<float>()[i], kFloatTolerance * largest)
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

  const std::string folder_ = MakeTinyModel(GetParam().options);
  const std::shared_ptr<const Model> model_ = Model::Load(folder_).value();
  std::unique_ptr<const Checkpoint> made_;
};

TEST_P(EngineIntegersTest, Plain) {
  Export("");
  EXPECT_EQ(CountOtherCodes(*model_), 0);
}

TEST_P(EngineIntegersTest, FoldedRotation) {
  Export(R"("rotation": "ROTATION_FOLDED")");
  MethodInputs inputs = TransformInputs(model_).Get();
  inputs.seed = kSeed;
  const std::shared_ptr<const Model> rotated = RotateByHadamard(inputs, false)->model;
  EXPECT_LT(static_cast<double>(CountOtherCodes(*rotated)),
            kCodeShare * static_cast<double>(model_->config().LinearParameterCount()));
  ExpectClose("model.embed_tokens.weight", FloatTensor(rotated->parts().embeddings, at::kCPU));
  ExpectClose("lm_head.weight", FloatTensor(rotated->parts().head, at::kCPU));
  ExpectClose("model.norm.weight", rotated->parts().final_norm);
  for (size_t i = 0; i < rotated->sites().size(); ++i) {
    const std::vector<LinearShape> linears = LinearsOf(rotated->config(), rotated->sites()[i]);
    const std::vector<TensorView>& biases = rotated->parts().linears[i].biases;
    for (size_t j = 0; j < biases.size(); ++j) {
      ExpectClose(linears[j].name + ".bias", FloatTensor(biases[j], at::kCPU));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, EngineIntegersTest, ::testing::ValuesIn(TransformVariants()),
                         [](const auto& variant) { return variant.param.name; });

}  // namespace
}  // namespace sasq::testing
