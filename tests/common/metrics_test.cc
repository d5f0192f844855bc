#include "common/metrics.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace sasq {
namespace {

TEST(MetricRegistryTest, TheSameNameAndLabelsAreTheSameMetric) {
  MetricRegistry registry;
  registry.GetCounter("sasq_things_total", "Things.", {{"kind", "a"}}).Add(2);
  registry.GetCounter("sasq_things_total", "Things.", {{"kind", "a"}}).Add(1);
  registry.GetCounter("sasq_things_total", "Things.", {{"kind", "b"}}).Add(5);
  EXPECT_EQ(registry.GetCounter("sasq_things_total", "Things.", {{"kind", "a"}}).value(), 3);
  MetricRegistry::Gauge& gauge = registry.GetGauge("sasq_level", "Level.");
  gauge.Set(4);
  gauge.Add(-1);
  EXPECT_EQ(registry.GetGauge("sasq_level", "Level.").value(), 3);
}

TEST(MetricRegistryTest, ServesOnAnyFreePortAndSaysWhenAPortIsTaken) {
  MetricRegistry first;
  const absl::StatusOr<int> port = first.Serve("127.0.0.1:0");
  ASSERT_TRUE(port.ok()) << port.status();
  MetricRegistry second;
  const absl::Status taken = second.Serve(absl::StrCat("127.0.0.1:", *port)).status();
  EXPECT_EQ(taken.code(), absl::StatusCode::kUnavailable) << taken;
}

TEST(MetricRegistryTest, SaysWhatIsNoAddress) {
  for (const char* address : {"", ":", "127.0.0.1", ":9433", "127.0.0.1:port", "127.0.0.1:65536"}) {
    MetricRegistry registry;
    EXPECT_EQ(registry.Serve(address).status().code(), absl::StatusCode::kInvalidArgument)
        << address;
  }
}

}  // namespace
}  // namespace sasq
