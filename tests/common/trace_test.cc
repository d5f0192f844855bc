#include "common/trace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/clock.h"

namespace sasq {
namespace {

using ::testing::MatchesRegex;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

constexpr char kTrace[] = "4bf92f3577b34da6a3ce929d0e0e4736";
constexpr char kParent[] = "00f067aa0ba902b7";

std::string Traceparent(absl::string_view flags = "01") {
  return absl::StrCat("00-", kTrace, "-", kParent, "-", flags);
}

class Spans final : public SpanSink {
 public:
  void Add(SpanData span) override { all.push_back(std::move(span)); }
  std::vector<SpanData> all;
};

TEST(TraceparentTest, IsReadAndWritten) {
  const std::optional<TraceContext> context = ParseTraceparent(Traceparent());
  ASSERT_TRUE(context.has_value());
  EXPECT_EQ(context->trace_id, kTrace);
  EXPECT_EQ(context->span_id, kParent);
  EXPECT_TRUE(context->is_sampled);
  EXPECT_EQ(context->ToTraceparent(), Traceparent());
  EXPECT_FALSE(ParseTraceparent(Traceparent("00"))->is_sampled);
  EXPECT_EQ(TraceIdOf(Traceparent()), kTrace);
}

TEST(TraceparentTest, OfALaterVersionIsReadAsFarAsKnown) {
  const std::string later = absl::StrCat("cc-", kTrace, "-", kParent, "-01");
  EXPECT_TRUE(ParseTraceparent(later).has_value());
  EXPECT_TRUE(ParseTraceparent(later + "-what-comes").has_value());
  EXPECT_FALSE(ParseTraceparent(later + ".what").has_value());
}

TEST(TraceparentTest, WhatIsNoneBeginsATrace) {
  const std::string zeros(32, '0');
  for (const std::string& text : std::vector<std::string>{
           "", "00", Traceparent() + "-1", Traceparent("0g"), Traceparent("1"),
           absl::StrCat("ff-", kTrace, "-", kParent, "-01"),
           absl::StrCat("00-", zeros, "-", kParent, "-01"),
           absl::StrCat("00-", kTrace, "-", zeros.substr(0, 16), "-01"),
           absl::StrCat("00-", "4BF92F3577B34DA6A3CE929D0E0E4736", "-", kParent, "-01"),
           absl::StrCat("00_", kTrace, "-", kParent, "-01")}) {
    EXPECT_FALSE(ParseTraceparent(text).has_value()) << text;
    EXPECT_EQ(TraceIdOf(text), "");
  }
}

TEST(TracerTest, SpansSayWhatTookHowLong) {
  ManualClock clock(absl::FromUnixSeconds(100));
  Spans spans;
  const Tracer tracer(&spans, &clock);
  Span span = tracer.Start("attempt", SpanKind::kConsumer, ParseTraceparent(Traceparent()),
                           {{"sasq.job", "jobs/1"}});
  clock.Advance(absl::Seconds(2));
  span.SetAttribute("sasq.outcome", "failed");
  span.End(absl::InternalError("broke"));
  span.End();
  span.SetAttribute("late", "x");

  ASSERT_EQ(spans.all.size(), 1u);
  const SpanData& ended = spans.all[0];
  EXPECT_EQ(ended.name, "attempt");
  EXPECT_EQ(ended.kind, SpanKind::kConsumer);
  EXPECT_EQ(ended.context.trace_id, kTrace);
  EXPECT_EQ(ended.context.span_id, span.context().span_id);
  EXPECT_EQ(ended.parent_span_id, kParent);
  EXPECT_EQ(ended.start, absl::FromUnixSeconds(100));
  EXPECT_EQ(ended.end, absl::FromUnixSeconds(102));
  EXPECT_TRUE(absl::IsInternal(ended.status));
  EXPECT_THAT(ended.attributes,
              UnorderedElementsAre(Pair("sasq.job", "jobs/1"), Pair("sasq.outcome", "failed")));
}

TEST(TracerTest, SpansNestAndMove) {
  Spans spans;
  const Tracer tracer(&spans);
  {
    Span outer = tracer.Start("outer", SpanKind::kServer, std::nullopt);
    Span inner = tracer.Start("inner", SpanKind::kInternal, outer.context());
    Span moved = std::move(inner);
    EXPECT_EQ(spans.all.size(), 0u);
    moved = tracer.Start("next", SpanKind::kInternal, outer.context());
    EXPECT_EQ(spans.all.size(), 1u);
  }
  ASSERT_EQ(spans.all.size(), 3u);
  EXPECT_EQ(spans.all[0].name, "inner");
  EXPECT_EQ(spans.all[1].name, "next");
  EXPECT_EQ(spans.all[2].name, "outer");
  EXPECT_EQ(spans.all[2].parent_span_id, "");
  EXPECT_EQ(spans.all[0].parent_span_id, spans.all[2].context.span_id);
  EXPECT_EQ(spans.all[0].context.trace_id, spans.all[2].context.trace_id);
  EXPECT_THAT(spans.all[2].context.ToTraceparent(),
              MatchesRegex("00-[0-9a-f]{32}-[0-9a-f]{16}-01"));
}

TEST(TracerTest, WhatIsNotSampledHasIdsAlone) {
  Spans spans;
  const Tracer tracer(&spans);
  Span span = tracer.Start("attempt", SpanKind::kServer, ParseTraceparent(Traceparent("00")));
  EXPECT_EQ(span.context().trace_id, kTrace);
  EXPECT_FALSE(span.context().is_sampled);
  span.End();
  Span off = Tracer::Off().Start("attempt", SpanKind::kServer, std::nullopt);
  EXPECT_TRUE(ParseTraceparent(off.context().ToTraceparent()).has_value());
  off.End();
  EXPECT_TRUE(spans.all.empty());
}

}  // namespace
}  // namespace sasq
