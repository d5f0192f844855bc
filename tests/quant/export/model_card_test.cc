#include "quant/export/model_card.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "tests/quant/export/export_inputs.h"

namespace sasq::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

ScalePack CardPack() {
  ScalePack pack;
  pack.method = "sasq";
  pack.base_weight_sha256 = std::string(64, 'a');
  pack.spec_json = SpecOf("METHOD_SASQ", R"("rotation": "ROTATION_FOLDED")", "12");
  pack.code_version = "0.1.0";
  pack.float_sites = {{1, SiteKind::kDownIn}};
  return pack;
}

std::string Report(const std::string& spec, const std::string& digest) {
  return absl::StrCat(R"({"dataset": "wiki | test", "recipe": "row", "rows": [
      {"name": "fp", "perplexity": 17.25, "perplexity_ratio": 1, "tokens": 8188},
      {"name": "row", "perplexity": 17.595, "perplexity_ratio": 1.02, "tokens": 8188},
      {"name": "lost", "perplexity": null}],
      "provenance": {"spec": )",
                      spec, R"(, "inputs": [{"role": "model", "sha256": ")", digest, R"("}]}})");
}

TEST(ModelCardTest, TellsMethodNumbersAndOrigin) {
  const ScalePack pack = CardPack();
  const std::string report = Report(pack.spec_json, pack.base_weight_sha256);
  const std::string card = ModelCard(pack, report);
  EXPECT_THAT(card, AllOf(HasSubstr("# `tiny` in static INT8"), HasSubstr("trained end to end"),
                          HasSubstr("Hadamard rotations"), HasSubstr("`layers.1.down_in`"),
                          HasSubstr("| **`row`** | 17.595 | +2.00% |"), HasSubstr("seed `12`"),
                          HasSubstr(pack.base_weight_sha256), HasSubstr("vllm serve")));
  EXPECT_THAT(card, Not(HasSubstr("wiki | test")));  // it would end a cell
  EXPECT_EQ(card, ModelCard(pack, report));
}

TEST(ModelCardTest, TellsWhatWasSmoothed) {
  ScalePack pack = CardPack();
  EXPECT_THAT(ModelCard(pack, ""), Not(HasSubstr("SmoothQuant")));
  pack.smoothing_factors = {{{0, SiteKind::kQkvIn}, {2}}};
  EXPECT_THAT(ModelCard(pack, ""), HasSubstr("channel by channel, norms are divided by factors"));
  pack.smoothing_factors[{0, SiteKind::kDownIn}] = {2};
  EXPECT_THAT(ModelCard(pack, ""), HasSubstr("norms and `up_proj` are divided"));
}

TEST(ModelCardTest, SaysThatThereAreNoNumbers) {
  for (const char* report : {"", "{}", "not JSON", R"({"rows": []})"}) {
    EXPECT_THAT(ModelCard(CardPack(), report), HasSubstr("was not at hand")) << report;
  }
}

TEST(ModelCardTest, KnowsItsReport) {
  const ScalePack pack = CardPack();
  EXPECT_TRUE(IsReportOf(Report(pack.spec_json, pack.base_weight_sha256), pack));
  EXPECT_FALSE(IsReportOf(Report(pack.spec_json, std::string(64, 'b')), pack));
  EXPECT_FALSE(IsReportOf(Report(SpecOf("METHOD_SASQ"), pack.base_weight_sha256), pack));
  for (const char* report : {"", "[]", "{}", R"({"provenance": {"spec": {}, "inputs": 3}})"}) {
    EXPECT_FALSE(IsReportOf(report, pack)) << report;
  }
}

}  // namespace
}  // namespace sasq::testing
