#include "quant/export/folded_transforms.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/quant/export/export_inputs.h"

namespace sasq::testing {
namespace {

using ::testing::HasSubstr;

absl::StatusOr<FoldedTransforms> TransformsOfSpec(std::string spec_json) {
  ScalePack pack;
  pack.spec_json = std::move(spec_json);
  return TransformsOf(pack);
}

TEST(FoldedTransformsTest, KnowsWhatWasFolded) {
  for (const char* method :
       {"METHOD_SASQ", "METHOD_STATIC_ABSMAX", "METHOD_STATIC_MSE", "METHOD_STATIC_PERCENTILE"}) {
    const auto transforms = TransformsOfSpec(SpecOf(method));
    ASSERT_TRUE(transforms.ok()) << transforms.status();
    EXPECT_FALSE(transforms->rotation_seed.has_value());
  }
  for (const char* method : {"METHOD_SASQ", "METHOD_QUAROT"}) {
    const auto transforms =
        TransformsOfSpec(SpecOf(method, R"("rotation": "ROTATION_FOLDED")", "9007199254740993"));
    ASSERT_TRUE(transforms.ok()) << transforms.status();
    EXPECT_EQ(transforms->rotation_seed, 9007199254740993u);
  }
}

TEST(FoldedTransformsTest, RefusesWhatCannotBeSaidAndSaysWhy) {
  const struct {
    std::string method, more, reason;
  } cases[] = {
      {"METHOD_SASQ", R"("rotation": "ROTATION_ONLINE")", "a Hadamard transform runs before"},
      {"METHOD_QUAROT", R"("rotation": "ROTATION_ONLINE")", "a Hadamard transform runs before"},
      {"METHOD_SASQ", R"("first_token": "FIRST_TOKEN_FLOAT")", "stays in floating point"},
      {"METHOD_SASQ", R"("first_token": "FIRST_TOKEN_PREFIX")", "follows a prefix"},
      {"METHOD_SASQ", R"("smoothing": {})", "are not in the pack, which an older version wrote"},
      {"METHOD_SMOOTHQUANT", "", "smoothing factors"},
      {"METHOD_SPINQUANT", R"("rotation": "ROTATION_FOLDED")", "learned rotations"},
      {"METHOD_LLM_QAT", "", "trained weights"},
      {"METHOD_RTN_DYNAMIC", "", "METHOD_RTN_DYNAMIC has no static scales"},
      {"METHOD_FP_CLIPPED", "", "METHOD_FP_CLIPPED has no static scales"},
  };
  for (const auto& test : cases) {
    const absl::Status status = TransformsOfSpec(SpecOf(test.method, test.more)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << test.reason;
    EXPECT_THAT(std::string(status.message()),
                HasSubstr("the row row cannot be exported exactly: "));
    EXPECT_THAT(std::string(status.message()), HasSubstr(test.reason));
  }
}

TEST(FoldedTransformsTest, SmoothingFactorsAreThoseOfTheRecipe) {
  constexpr SiteId kQkv = {0, SiteKind::kQkvIn};
  constexpr SiteId kGateUp = {0, SiteKind::kGateUpIn};
  constexpr SiteId kDown = {0, SiteKind::kDownIn};
  const struct {
    std::string method, more;
    std::vector<SiteId> sites;
    std::string refusal;  // empty: none
  } cases[] = {
      {"METHOD_SMOOTHQUANT", "", {kQkv, kGateUp}, ""},
      {"METHOD_SASQ", R"("smoothing": {"include_down": true})", {kQkv, kGateUp, kDown}, ""},
      {"METHOD_SASQ",
       R"("smoothing": {"include_down": true})",
       {kQkv, kGateUp},
       "layers.0.down_in has no smoothing factors"},
      {"METHOD_SASQ",
       R"("smoothing": {})",
       {kQkv, kGateUp, kDown},
       "layers.0.down_in has smoothing factors"},
      {"METHOD_SASQ", R"("smoothing": {})", {kQkv}, "layers.0.gate_up_in has no"},
      {"METHOD_SASQ", "", {kQkv, kGateUp}, "layers.0.qkv_in has smoothing factors"},
  };
  for (const auto& test : cases) {
    ScalePack pack;
    pack.layer_count = 1;
    pack.spec_json = SpecOf(test.method, test.more);
    for (const SiteId& site : test.sites) pack.smoothing_factors[site] = {1};
    const absl::Status status = TransformsOf(pack).status();
    EXPECT_EQ(status.ok(), test.refusal.empty()) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(test.refusal));
  }
}

TEST(FoldedTransformsTest, NamesEveryReason) {
  const absl::Status status =
      TransformsOfSpec(R"({"recipe": {"name": "max", "method": "METHOD_SASQ", "weight_bits": 4,
                           "activation_bits": 6, "first_token": "FIRST_TOKEN_FLOAT"}})")
          .status();
  EXPECT_THAT(std::string(status.message()), HasSubstr("first token"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("activations have 6 bits and weights 4"));
}

TEST(FoldedTransformsTest, RefusesASpecOfAnotherVersion) {
  const absl::Status status =
      TransformsOfSpec(SpecOf("METHOD_SASQ", R"("folds_something_new": true)")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("folds_something_new"));
}

}  // namespace
}  // namespace sasq::testing
