#include "quant/export/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sasq::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> On(Engine engine, absl::string_view device) {
  return EngineWarnings(engine, ParseServingDevice(device).value());
}

TEST(EngineTest, VllmUsesStaticScalesFromTuringToHopper) {
  for (const char* device : {"sm_75", "sm_80", "sm_86", "sm_89", "sm_90"}) {
    EXPECT_THAT(On(Engine::kVllm, device), IsEmpty()) << device;
  }
  EXPECT_THAT(On(Engine::kVllm, "sm_70"), ElementsAre(HasSubstr("refuses INT8")));
  for (const char* device : {"sm_100", "sm_103", "sm_120"}) {
    EXPECT_THAT(On(Engine::kVllm, device), ElementsAre(HasSubstr("fails at start on"))) << device;
  }
  EXPECT_THAT(On(Engine::kVllm, "cpu"), ElementsAre(HasSubstr("AMX")));
  EXPECT_THAT(EngineWarnings(Engine::kVllm, std::nullopt), ElementsAre(HasSubstr("--device")));
}

TEST(EngineTest, OthersDoNot) {
  EXPECT_THAT(On(Engine::kSglang, "sm_90"), ElementsAre(HasSubstr("ignores")));
  EXPECT_THAT(On(Engine::kSglang, "sm_75"),
              ElementsAre(HasSubstr("ignores"), HasSubstr("no INT8 product")));
  EXPECT_THAT(On(Engine::kTransformers, "cpu"), ElementsAre(HasSubstr("not its speed")));
}

TEST(EngineTest, RefusesOtherDevices) {
  for (const char* text : {"", "gpu", "sm_", "sm_9", "sm_90a", "90", "sm_-90", "SM_90"}) {
    EXPECT_EQ(ParseServingDevice(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

}  // namespace
}  // namespace sasq::testing
