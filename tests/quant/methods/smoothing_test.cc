#include "quant/methods/smoothing.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/amax.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/tensor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <optional>

#include "quant/methods/rotation.h"
#include "quant/methods/smoothing_search.h"
#include "quant/methods/static_scales.h"
#include "quant/model/forward.h"
#include "quant/model/int8_linear.h"
#include "quant/model/model_builder.h"
#include "quant/model/quantized_weights.h"
#include "tests/quant/methods/transformed_model.h"
#include "tests/quant/status_matchers.h"

namespace sasq::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::shared_ptr<const Model> TinyModel(const TinyModelOptions& options = {}) {
  return Model::Load(MakeTinyModel(options)).value();
}

v1::Smoothing SmoothingOf(std::optional<double> alpha, bool include_down) {
  v1::Smoothing smoothing;
  if (alpha.has_value()) smoothing.set_alpha(*alpha);
  smoothing.set_include_down(include_down);
  return smoothing;
}

PreparedModel AsItIs(const std::shared_ptr<const Model>& model) {
  PreparedModel prepared;
  prepared.model = model;
  return prepared;
}

PreparedModel Smooth(const TransformInputs& inputs, PreparedModel prepared,
                     std::optional<double> alpha, bool include_down) {
  return SmoothModel(inputs.Get(), std::move(prepared), SmoothingOf(alpha, include_down)).value();
}

class SmoothingTest : public ::testing::TestWithParam<ModelVariant> {};

TEST_P(SmoothingTest, LeavesTheFloatModelUnchanged) {
  const std::shared_ptr<const Model> model = TinyModel(GetParam().options);
  const TransformInputs inputs(model);
  for (const bool include_down : {false, true}) {
    for (const std::optional<double> alpha :
         {std::optional(0.0), std::optional(0.5), std::optional(1.0), std::optional<double>()}) {
      SCOPED_TRACE(alpha.value_or(-1));
      const PreparedModel prepared = Smooth(inputs, AsItIs(model), alpha, include_down);
      EXPECT_LT(LogitDistance(model, prepared.model), kFloatRounding);
    }
  }
}

TEST_P(SmoothingTest, FollowsARotation) {
  const std::shared_ptr<const Model> model = TinyModel(GetParam().options);
  const TransformInputs inputs(model);
  for (const bool online : {false, true}) {
    const PreparedModel prepared =
        Smooth(inputs, RotateByHadamard(inputs.Get(), online).value(), 0.5, !online);
    EXPECT_LT(LogitDistance(model, prepared.model), kFloatRounding);
  }
}

INSTANTIATE_TEST_SUITE_P(Models, SmoothingTest, ::testing::ValuesIn(TransformVariants()),
                         [](const auto& variant) { return variant.param.name; });

TEST(SmoothingTest, LeavesARealModelUnchanged) {
  const char* folder = std::getenv("SASQ_MODEL_DIR");
  if (folder == nullptr) GTEST_SKIP() << "SASQ_MODEL_DIR is not set";
  const std::shared_ptr<const Model> model = Model::Load(folder).value();
  const PreparedModel prepared =
      Smooth(TransformInputs(model), AsItIs(model), std::nullopt, /*include_down=*/true);
  const double distance = LogitDistance(model, prepared.model);
  RecordProperty("distance", absl::StrCat(distance));
  EXPECT_LT(distance, kFloatRounding);
}

TEST(SmoothingTest, FactorsAreThoseOfThePaper) {
  SiteStatistics site;
  site.channel_absmax = {16, 1, 0};
  const at::Tensor weights = at::tensor({0.25f, -2.0f, 0.0f, -4.0f, 1.0f, 0.0f}).view({2, 3});
  const auto factors = [&](double alpha) { return SmoothingFactors(site, weights, alpha); };
  const auto expect = [](const at::Tensor& got, const at::Tensor& want) {
    EXPECT_TRUE(at::allclose(got, want, /*rtol=*/1e-6, 0)) << got;  // one rounding to float32
  };
  expect(factors(0), at::tensor({1 / 4.0f, 1 / 2.0f, 1e5f}));
  expect(factors(1), at::tensor({16.0f, 1.0f, 1e-5f}));
  expect(factors(0.5), at::tensor({2.0f, std::sqrt(0.5f), 1.0f}));
}

// With alpha = 1/2 equation 4 gives activations and weights equal maxima, channel by channel; with
// 1 all activations' maxima are 1, with 0 all weights'.
TEST(SmoothingTest, MovesOutliersOfAChannel) {
  const std::shared_ptr<const Model> model = WithOutliers(TinyModel(), 7);
  const TransformInputs inputs(model);
  const auto maxima = [&](double alpha, SiteId site) {
    const std::shared_ptr<const Model> smoothed =
        Smooth(inputs, AsItIs(model), alpha, site.kind == SiteKind::kDownIn).model;
    const auto statistics = inputs.Statistics(smoothed);
    ModelBuilder builder(smoothed);
    return std::make_pair(
        at::tensor(statistics->sites[static_cast<size_t>(SiteIndex(site))].channel_absmax),
        at::amax(at::cat(builder.weights(site), 0).abs(), 0));
  };
  for (const SiteKind kind : {SiteKind::kQkvIn, SiteKind::kGateUpIn, SiteKind::kDownIn}) {
    SCOPED_TRACE(SiteKindName(kind));
    const SiteId site = {1, kind};
    const auto [x_half, w_half] = maxima(0.5, site);
    // Float rounding of the forward pass.
    EXPECT_TRUE(at::allclose(x_half, w_half, /*rtol=*/1e-4, 0));
    const auto [x_one, w_one] = maxima(1, site);
    EXPECT_TRUE(at::allclose(x_one, at::ones_like(x_one), 1e-4, 0));
    const auto [x_zero, w_zero] = maxima(0, site);
    EXPECT_TRUE(at::allclose(w_zero, at::ones_like(w_zero), 1e-4, 0));
  }
}

TEST(SmoothingTest, LeavesSitesAloneThatItIsNotFor) {
  const std::shared_ptr<const Model> model = TinyModel();
  const TransformInputs inputs(model);
  const auto before = inputs.Statistics(model);
  const auto after = inputs.Statistics(Smooth(inputs, AsItIs(model), 0.5, false).model);
  for (size_t i = 0; i < model->sites().size(); ++i) {
    const SiteKind kind = model->sites()[i].kind;
    const at::Tensor want = at::tensor(before->sites[i].channel_absmax);
    const at::Tensor got = at::tensor(after->sites[i].channel_absmax);
    EXPECT_EQ(at::allclose(got, want, 1e-4, 0), kind == SiteKind::kOIn || kind == SiteKind::kDownIn)
        << SiteName(model->sites()[i]);
  }
}

// Errors of one site's INT8 linears, as they run in a quantized model.
class ErrorProbe final : public SiteExecutor {
 public:
  ErrorProbe(const std::shared_ptr<const Model>& model, SiteKind kind, std::vector<float> scales)
      : kind_(kind),
        scales_(std::move(scales)),
        weights_(QuantizedWeights::Create(model).value()),
        linears_(*model) {}

  absl::StatusOr<at::Tensor> Run(SiteId site, const at::Tensor& x, int64_t leading_rows) override {
    const at::Tensor want = linears_.Run(site, x);
    if (site.kind == kind_) {
      const at::Tensor y =
          StaticInt8Linear(weights_->site(site), x, scales_[static_cast<size_t>(SiteIndex(site))],
                           /*bits=*/8, /*float_rows=*/0);
      const auto energy = [&](const at::Tensor& rows) {
        return rows.slice(0, leading_rows).square().sum().item<double>();
      };
      sum_ += energy(y - want) / energy(want);
      ++count_;
    }
    return want;
  }

  double error() const { return sum_ / count_; }

 private:
  const SiteKind kind_;
  const std::vector<float> scales_;
  const std::shared_ptr<const QuantizedWeights> weights_;
  FloatLinears linears_;
  double sum_ = 0;
  double count_ = 0;
};

double MeasuredError(const TransformInputs& inputs, const std::shared_ptr<const Model>& model,
                     SiteKind kind) {
  ErrorProbe probe(model, kind,
                   StaticScales(*inputs.Statistics(model),
                                {.rule = v1::SCALE_RULE_ABSMAX_MAX, .without_first = true}));
  const MethodInputs method_inputs = inputs.Get();
  for (const auto& window : method_inputs.calibration_windows.first(2)) {
    EXPECT_TRUE(Forward(*model, window, probe).ok());
  }
  return probe.error();
}

TEST(SmoothingTest, TheSearchFindsTheAlphaOfLeastError) {
  const std::shared_ptr<const Model> model = WithOutliers(TinyModel(), 7);
  const TransformInputs inputs(model);
  const MethodInputs method_inputs = inputs.Get();
  const std::vector<SiteKind> kinds = {SiteKind::kQkvIn, SiteKind::kGateUpIn, SiteKind::kDownIn};
  const std::vector<FoundAlpha> found =
      SearchAlphas(model, *inputs.Statistics(model), method_inputs.calibration_windows, kinds, {})
          .value();
  ASSERT_EQ(found.size(), kinds.size());
  for (size_t i = 0; i < kinds.size(); ++i) {
    SCOPED_TRACE(SiteKindName(kinds[i]));
    EXPECT_EQ(found[i].kind, kinds[i]);
    std::map<double, double> alpha_by_error;
    for (int step = 0; step <= 10; ++step) {
      const double alpha = step / 10.0;
      const PreparedModel smoothed =
          Smooth(inputs, AsItIs(model), alpha, kinds[i] == SiteKind::kDownIn);
      alpha_by_error[MeasuredError(inputs, smoothed.model, kinds[i])] = alpha;
    }
    const auto [least_error, best_alpha] = *alpha_by_error.begin();
    EXPECT_DOUBLE_EQ(found[i].alpha, best_alpha);
    // Values that fall on the other side of a rounding move the mean of some thousands a little.
    EXPECT_NEAR(found[i].error, least_error, 0.01 * least_error);
    const double without = MeasuredError(inputs, model, kinds[i]);
    EXPECT_NEAR(found[i].error_without, without, 0.01 * without);
    EXPECT_LT(found[i].error, 0.5 * found[i].error_without);
  }
}

TEST(SmoothingTest, KeyAndNotesSayWhatWasDone) {
  const std::shared_ptr<const Model> model = TinyModel();
  const TransformInputs inputs(model);
  const PreparedModel given = Smooth(inputs, AsItIs(model), 0.5, false);
  EXPECT_EQ(given.key, "smoothed by alpha 0.5");
  EXPECT_TRUE(given.notes.empty());
  const PreparedModel searched =
      Smooth(inputs, RotateByHadamard(inputs.Get(), false).value(), std::nullopt, true);
  EXPECT_EQ(searched.key, "hadamard folded seed 0, smoothed by search with down_in");
  EXPECT_THAT(searched.notes, ElementsAre(HasSubstr("smoothing of qkv_in: alpha "),
                                          HasSubstr("smoothing of gate_up_in: alpha "),
                                          HasSubstr("smoothing of down_in: alpha ")));
}

TEST(SmoothingTest, RefusesDownProjBehindATransform) {
  const TransformInputs inputs(TinyModel());
  const PreparedModel rotated = RotateByHadamard(inputs.Get(), /*online_down=*/true).value();
  EXPECT_TRUE(IsInvalid(SmoothModel(inputs.Get(), rotated, SmoothingOf(0.5, true)),
                        "UNSUPPORTED_MODEL", "smoothing.include_down"));
  EXPECT_TRUE(SmoothModel(inputs.Get(), rotated, SmoothingOf(0.5, false)).ok());
}

TEST(SmoothingTest, Stops) {
  const std::shared_ptr<const Model> model = TinyModel();
  const TransformInputs transform_inputs(model);
  MethodInputs inputs = transform_inputs.Get();
  std::stop_source source;
  source.request_stop();
  inputs.stop = source.get_token();
  for (const std::optional<double> alpha : {std::optional(0.5), std::optional<double>()}) {
    EXPECT_EQ(SmoothModel(inputs, AsItIs(model), SmoothingOf(alpha, false)).status().code(),
              absl::StatusCode::kCancelled);
  }
}

}  // namespace
}  // namespace sasq::testing
