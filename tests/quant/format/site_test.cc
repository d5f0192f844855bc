#include "quant/format/site.h"

#include <gtest/gtest.h>

namespace sasq {
namespace {

TEST(SiteTest, NamesRoundTripInOrder) {
  const std::vector<SiteId> sites = AllSites(12);
  ASSERT_EQ(sites.size(), 48u);
  for (size_t i = 0; i < sites.size(); ++i) {
    EXPECT_EQ(SiteIndex(sites[i]), static_cast<int>(i));
    const auto parsed = ParseSiteName(SiteName(sites[i]));
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ(*parsed, sites[i]);
    if (i > 0) {
      EXPECT_LT(sites[i - 1], sites[i]);
    }
  }
  EXPECT_EQ(SiteName(sites[0]), "layers.0.qkv_in");
  EXPECT_EQ(SiteName(sites[1]), "layers.0.o_in");
  EXPECT_EQ(SiteName(sites[2]), "layers.0.gate_up_in");
  EXPECT_EQ(SiteName(sites[47]), "layers.11.down_in");
}

TEST(SiteTest, RefusesWhatItDoesNotPrint) {
  for (const char* name :
       {"", "layers", "layers.3", "layers.3.down", "layer.3.down_in", "layers.-1.down_in",
        "layers.03.down_in", "layers.+3.down_in", "layers. 3.down_in", "layers.3.down_in.x",
        "layers.99999999999.down_in", "layers.3.DOWN_IN", " layers.3.down_in"}) {
    EXPECT_EQ(ParseSiteName(name).status().code(), absl::StatusCode::kInvalidArgument) << name;
  }
}

}  // namespace
}  // namespace sasq
