#include "client/enum_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sasq/v1/job.pb.h"
#include "sasq/v1/job_spec.pb.h"

namespace sasq {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(EnumNamesTest, ShortNamesLoseThePrefix) {
  EXPECT_EQ(ShortEnumName(v1::Method_descriptor(), v1::METHOD_STATIC_MSE), "static_mse");
  EXPECT_EQ(ShortEnumName(v1::TextLayout_descriptor(), v1::TEXT_LAYOUT_WIKITEXT_ROWS),
            "wikitext_rows");
  EXPECT_EQ(ShortEnumName(v1::JobState_descriptor(), 77), "77");
  EXPECT_THAT(ShortEnumNames(v1::FirstToken_descriptor()),
              ElementsAre("quantized", "float", "prefix"));
}

TEST(EnumNamesTest, EveryFormIsRead) {
  for (const char* name :
       {"wikitext_rows", "wikitext-rows", "WIKITEXT_ROWS", "TEXT_LAYOUT_WIKITEXT_ROWS"}) {
    const auto number = ParseEnum(v1::TextLayout_descriptor(), name);
    ASSERT_TRUE(number.ok()) << number.status();
    EXPECT_EQ(*number, v1::TEXT_LAYOUT_WIKITEXT_ROWS);
  }
}

TEST(EnumNamesTest, EveryShortNameLeadsBack) {
  for (const auto* type :
       {v1::Method_descriptor(), v1::JobState_descriptor(), v1::ScaleRule_descriptor(),
        v1::Preset_descriptor(), v1::Rotation_descriptor(), v1::DeviceKind_descriptor()}) {
    for (int i = 1; i < type->value_count(); ++i) {
      const int number = type->value(i)->number();
      EXPECT_EQ(*ParseEnum(type, ShortEnumName(type, number)), number);
    }
  }
}

TEST(EnumNamesTest, RefusesTheUnknownAndTheUnsaid) {
  const auto typo = ParseEnum(v1::Method_descriptor(), "saqs");
  EXPECT_THAT(std::string(typo.status().message()),
              HasSubstr("is \"saqs\", want fp, rtn_dynamic, static_absmax, static_mse, sasq, "
                        "static_percentile, smoothquant, quarot, spinquant, llm_qat, fp_clipped; "
                        "did you mean sasq?"));
  EXPECT_FALSE(ParseEnum(v1::Method_descriptor(), "unspecified").ok());
  EXPECT_EQ(*ParseEnum(v1::Method_descriptor(), "METHOD_UNSPECIFIED"), 0);  // as JSON output has it
  EXPECT_FALSE(ParseEnum(v1::Method_descriptor(), "").ok());
}

}  // namespace
}  // namespace sasq
