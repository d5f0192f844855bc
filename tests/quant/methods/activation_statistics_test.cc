#include "quant/methods/activation_statistics.h"

#include <ATen/core/Tensor.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

#include "quant/model/compute_threads.h"
#include "quant/model/forward.h"
#include "quant/model/site_executor.h"
#include "tests/support/tiny_model.h"

namespace sasq::testing {
namespace {

TEST(MagnitudeHistogramTest, EveryValueFallsIntoItsBin) {
  for (const float value : {1.0f, 1.01f, 1.99f, 2.0f, 0.1f, 77.7f, 3000.0f, 1e-6f, 0x1p-24f}) {
    for (const float sign : {1.0f, -1.0f}) {
      MagnitudeHistogram histogram;
      const float signed_value = sign * value;
      histogram.Add(absl::MakeConstSpan(&signed_value, 1));
      const absl::Span<const int64_t> counts = histogram.counts();
      const int bin = static_cast<int>(std::find(counts.begin(), counts.end(), 1) - counts.begin());
      ASSERT_LT(bin, MagnitudeHistogram::kBinCount);
      EXPECT_LE(MagnitudeHistogram::LowerBound(bin), static_cast<double>(value));
      EXPECT_GT(MagnitudeHistogram::LowerBound(bin + 1), static_cast<double>(value));
    }
  }
}

TEST(MagnitudeHistogramTest, BoundsGrowBySmallSteps) {
  EXPECT_EQ(MagnitudeHistogram::LowerBound(0), 0);
  for (int bin = 2; bin < MagnitudeHistogram::kBinCount; ++bin) {
    const double ratio =
        MagnitudeHistogram::LowerBound(bin) / MagnitudeHistogram::LowerBound(bin - 1);
    ASSERT_GT(ratio, 1);
    ASSERT_LE(ratio, 1 + 1.0 / MagnitudeHistogram::kBinsPerOctave);
  }
}

TEST(MagnitudeHistogramTest, WhatIsOutsideFallsIntoTheEnds) {
  MagnitudeHistogram histogram;
  const std::vector<float> values = {0.0f, -0.0f, 1e-30f, 1e30f};
  histogram.Add(values);
  EXPECT_EQ(histogram.counts().front(), 3);
  EXPECT_EQ(histogram.counts().back(), 1);
}

// Keeps what passes the sites of a float forward pass.
class RecordingExecutor final : public SiteExecutor {
 public:
  explicit RecordingExecutor(std::shared_ptr<const Model> model)
      : float_executor_(MakeFloatExecutor(std::move(model))) {}

  absl::StatusOr<at::Tensor> Run(SiteId site, const at::Tensor& x, int64_t leading_rows) override {
    const at::Tensor dense = x.contiguous();
    const float* values = dense.const_data_ptr<float>();
    for (int64_t t = 0; t < dense.size(0); ++t) {
      for (int64_t k = 0; k < dense.size(1); ++k) {
        (t == 0 ? first : rest)[site].push_back(*values++);
      }
    }
    return float_executor_->Run(site, x, leading_rows);
  }

  std::map<SiteId, std::vector<float>> first;
  std::map<SiteId, std::vector<float>> rest;

 private:
  const std::unique_ptr<SiteExecutor> float_executor_;
};

float AbsMax(const std::vector<float>& values) {
  float largest = 0;
  for (const float value : values) largest = std::max(largest, std::abs(value));
  return largest;
}

class CollectTest : public ::testing::Test {
 protected:
  CollectTest() : model_(Model::Load(MakeTinyModel()).value()) {
    for (int32_t i = 0; i < 300; ++i) tokens_.push_back((i * i * 11 + i) % 256);
    for (size_t begin = 0; begin < 300; begin += 100) {
      windows_.push_back(absl::MakeConstSpan(tokens_).subspan(begin, 100));
    }
  }

  std::shared_ptr<const Model> model_;
  std::vector<int32_t> tokens_;
  std::vector<absl::Span<const int32_t>> windows_;
};

TEST_F(CollectTest, IsTheDefinition) {
  const ActivationStatistics statistics = CollectActivationStatistics(model_, windows_).value();
  EXPECT_EQ(statistics.window_count, 3);
  std::map<SiteId, SiteStatistics> expected;
  for (const absl::Span<const int32_t> window : windows_) {
    RecordingExecutor executor(model_);
    ASSERT_TRUE(Forward(*model_, window, executor).ok());
    for (const SiteId site : model_->sites()) {
      SiteStatistics& want = expected[site];
      const float first = AbsMax(executor.first[site]);
      const float rest = AbsMax(executor.rest[site]);
      want.absmax_sum += static_cast<double>(std::max(first, rest));
      want.absmax_sum_without_first += static_cast<double>(rest);
      want.first.Add(executor.first[site]);
      want.rest.Add(executor.rest[site]);
    }
  }
  for (const SiteId site : model_->sites()) {
    const SiteStatistics& got = statistics.sites[static_cast<size_t>(SiteIndex(site))];
    EXPECT_EQ(got.absmax_sum, expected[site].absmax_sum);
    EXPECT_EQ(got.absmax_sum_without_first, expected[site].absmax_sum_without_first);
    EXPECT_EQ(got.first.counts(), expected[site].first.counts());
    EXPECT_EQ(got.rest.counts(), expected[site].rest.counts());
  }
}

TEST_F(CollectTest, CopiesOfTheFirstTokenCountAsIt) {
  const std::vector<int32_t> tokens = {9, 9, 9, 4, 9};
  const std::vector<absl::Span<const int32_t>> windows = {tokens};
  const ActivationStatistics statistics = CollectActivationStatistics(model_, windows).value();
  for (const SiteStatistics& site : statistics.sites) {
    int64_t first = 0;
    int64_t rest = 0;
    for (const int64_t count : site.first.counts()) first += count;
    for (const int64_t count : site.rest.counts()) rest += count;
    EXPECT_EQ(first * 2, rest * 3);
  }
}

TEST_F(CollectTest, StopsAfterTheWindowThatAskedForIt) {
  std::stop_source stop;
  int64_t done = 0;
  const absl::Status status = CollectActivationStatistics(model_, windows_,
                                                          {.stop = stop.get_token(),
                                                           .on_window =
                                                               [&](int64_t windows_done) {
                                                                 done = windows_done;
                                                                 stop.request_stop();
                                                               }})
                                  .status();
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(done, 1);
}

TEST_F(CollectTest, RefusesWhatGivesNoStatistics) {
  EXPECT_EQ(CollectActivationStatistics(model_, {}).status().code(),
            absl::StatusCode::kInvalidArgument);
  const std::vector<absl::Span<const int32_t>> one_token = {windows_[0].first(1)};
  EXPECT_EQ(CollectActivationStatistics(model_, one_token).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace sasq::testing
