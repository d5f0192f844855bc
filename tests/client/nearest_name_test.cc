#include "client/nearest_name.h"

#include <gtest/gtest.h>

namespace sasq {
namespace {

TEST(NearestNameTest, FindsWhatWasMeant) {
  const std::vector<std::string> names = {"training", "training_text", "method", "first_token"};
  EXPECT_EQ(NearestName("trainin", names), "training");
  EXPECT_EQ(NearestName("metohd", names), "method");
  EXPECT_EQ(NearestName("firsttoken", names), "first_token");
}

TEST(NearestNameTest, SaysNothingWhereNothingIsNear) {
  EXPECT_EQ(NearestName("colour", {"method", "seed"}), "");
  EXPECT_EQ(NearestName("x", {}), "");
  EXPECT_EQ(NearestName(std::string(10'000, 'x'), {"method"}), "");
}

TEST(DidYouMeanTest, ReadsAsTheEndOfASentence) {
  EXPECT_EQ(DidYouMean("sed", {"seed"}), "; did you mean seed?");
  EXPECT_EQ(DidYouMean("zzz", {"seed"}), "");
}

}  // namespace
}  // namespace sasq
