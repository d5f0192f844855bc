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
      {"METHOD_SASQ", R"("smoothing": {})", "smoothing factors"},
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
