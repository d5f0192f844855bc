#include "common/otlp_exporter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>
#include <stdlib.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/mutex.h"
#include "opentelemetry/otlp.pb.h"

namespace sasq {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::internal::CaptureStderr;
using ::testing::internal::GetCapturedStderr;

// A collector on loopback that answers with the statuses that it is given, then with 200.
class Collector {
 public:
  explicit Collector(std::vector<int> statuses = {}) : statuses_(std::move(statuses)) {
    server_.Post("/v1/traces",
                 [this](const httplib::Request& request, httplib::Response& response) {
                   MutexLock lock(&mutex_);
                   ++request_count_;
                   authorization_ = request.get_header_value("Authorization");
                   response.status = 200;
                   if (!statuses_.empty()) {
                     response.status = statuses_.front();
                     statuses_.erase(statuses_.begin());
                   }
                   if (response.status != 200) return;
                   opentelemetry::ExportTraceServiceRequest spans;
                   if (!spans.ParseFromString(request.body)) response.status = 400;
                   bodies_.push_back(std::move(spans));
                   response.set_content(answer_, "application/x-protobuf");
                 });
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    while (!server_.is_running()) std::this_thread::yield();
  }
  ~Collector() {
    server_.stop();
    thread_.join();
  }

  std::string url() const { return absl::StrCat("http://127.0.0.1:", port_, "/v1/traces"); }
  void Answer(const opentelemetry::ExportTraceServiceResponse& answer) {
    MutexLock lock(&mutex_);
    answer_ = answer.SerializeAsString();
  }
  std::vector<opentelemetry::ExportTraceServiceRequest> bodies() {
    MutexLock lock(&mutex_);
    return bodies_;
  }
  int request_count() {
    MutexLock lock(&mutex_);
    return request_count_;
  }
  std::string authorization() {
    MutexLock lock(&mutex_);
    return authorization_;
  }

 private:
  httplib::Server server_;
  int port_ = 0;
  Mutex mutex_;
  std::vector<int> statuses_ ABSL_GUARDED_BY(mutex_);
  std::string answer_ ABSL_GUARDED_BY(mutex_);
  std::vector<opentelemetry::ExportTraceServiceRequest> bodies_ ABSL_GUARDED_BY(mutex_);
  int request_count_ ABSL_GUARDED_BY(mutex_) = 0;
  std::string authorization_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

OtlpExporter::Options OptionsFor(const std::string& url) {
  OtlpExporter::Options options;
  options.url = url;
  options.service_name = "sasqd";
  options.first_pause = absl::Milliseconds(1);
  return options;
}

// Makes spans, and is done once the exporter's end has sent them.
void Export(const OtlpExporter::Options& options, int count) {
  const std::unique_ptr<OtlpExporter> exporter = *OtlpExporter::Create(options);
  const Tracer tracer(exporter.get());
  for (int i = 0; i < count; ++i) {
    Span span = tracer.Start("span", SpanKind::kServer,
                             ParseTraceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-"
                                              "00f067aa0ba902b7-01"),
                             {{"number", absl::StrCat(i)}});
    span.End(i == 0 ? absl::InternalError("broke") : absl::OkStatus());
  }
}

TEST(OtlpExporterTest, SendsWhatWaitsAtItsEnd) {
  Collector collector;
  OtlpExporter::Options options = OptionsFor(collector.url());
  options.headers = {"Authorization: Bearer secret"};
  Export(options, 2);
  ASSERT_EQ(collector.bodies().size(), 1u);
  EXPECT_EQ(collector.authorization(), "Bearer secret");
  const opentelemetry::ResourceSpans spans = collector.bodies()[0].resource_spans(0);
  EXPECT_EQ(spans.resource().attributes(0).key(), "service.name");
  EXPECT_EQ(spans.resource().attributes(0).value().string_value(), "sasqd");
  ASSERT_EQ(spans.scope_spans(0).spans_size(), 2);
  const opentelemetry::Span& first = spans.scope_spans(0).spans(0);
  EXPECT_EQ(first.trace_id().size(), 16u);
  EXPECT_EQ(first.span_id().size(), 8u);
  EXPECT_EQ(first.parent_span_id(), absl::HexStringToBytes("00f067aa0ba902b7"));
  EXPECT_EQ(first.kind(), opentelemetry::SPAN_KIND_SERVER);
  EXPECT_EQ(first.status().code(), opentelemetry::STATUS_CODE_ERROR);
  EXPECT_GE(first.end_time_unix_nano(), first.start_time_unix_nano());
  EXPECT_FALSE(spans.scope_spans(0).spans(1).has_status());
}

TEST(OtlpExporterTest, SendsFullBatchesAtOnceAndOthersAfterAWhile) {
  Collector collector;
  OtlpExporter::Options options = OptionsFor(collector.url());
  options.max_batch = 2;
  options.interval = absl::Milliseconds(20);
  Export(options, 5);
  std::vector<int> sizes;
  for (const auto& body : collector.bodies()) {
    sizes.push_back(body.resource_spans(0).scope_spans(0).spans_size());
  }
  EXPECT_THAT(sizes, ElementsAre(2, 2, 1));
}

TEST(OtlpExporterTest, TriesAgainWhereThatMayHelp) {
  Collector collector({503, 429});
  const std::unique_ptr<OtlpExporter> exporter = [&collector] {
    OtlpExporter::Options options = OptionsFor(collector.url());
    options.interval = absl::Milliseconds(1);
    return *OtlpExporter::Create(options);
  }();
  Tracer(exporter.get()).Start("span", SpanKind::kServer, std::nullopt).End();
  while (collector.bodies().empty()) std::this_thread::yield();
  EXPECT_EQ(collector.request_count(), 3);
}

TEST(OtlpExporterTest, DropsWhatTheCollectorDoesNotTake) {
  CaptureStderr();
  Collector collector({400});
  OtlpExporter::Options options = OptionsFor(collector.url());
  options.headers = {"Authorization: Bearer secret"};
  Export(options, 3);
  EXPECT_EQ(collector.request_count(), 1);
  const std::string log = GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr("event=spans_dropped count=3"));
  EXPECT_THAT(log, HasSubstr("answers 400"));
  EXPECT_THAT(log, Not(HasSubstr("secret")));
}

TEST(OtlpExporterTest, SaysWhatACollectorTookInPart) {
  CaptureStderr();
  Collector collector;
  opentelemetry::ExportTraceServiceResponse answer;
  answer.mutable_partial_success()->set_rejected_spans(1);
  answer.mutable_partial_success()->set_error_message("too old");
  collector.Answer(answer);
  Export(OptionsFor(collector.url()), 2);
  EXPECT_THAT(GetCapturedStderr(), HasSubstr("event=spans_rejected count=1 error=\"too old\""));
}

TEST(OtlpExporterTest, KeepsNoMoreThanItMayAndEndsWithoutACollector) {
  CaptureStderr();
  OtlpExporter::Options options = OptionsFor("http://127.0.0.1:9/v1/traces");
  options.max_waiting = 2;
  Export(options, 5);
  EXPECT_THAT(GetCapturedStderr(), HasSubstr("event=spans_dropped count=5"));
}

TEST(OtlpExporterTest, WantsAUrl) {
  EXPECT_TRUE(absl::IsInvalidArgument(OtlpExporter::Create(OptionsFor("127.0.0.1:4318")).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(OpenOtlpExporter("localhost:4318", "x").status()));
}

class OtlpOptionsTest : public testing::Test {
 protected:
  OtlpOptionsTest() { Clear(); }
  ~OtlpOptionsTest() override { Clear(); }

  static void Clear() {
    for (const char* name :
         {"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
          "OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_SERVICE_NAME"}) {
      ::unsetenv(name);
    }
  }
};

TEST_F(OtlpOptionsTest, NoneMeansNoSpans) { EXPECT_EQ(*OpenOtlpExporter("", "sasqd"), nullptr); }

TEST_F(OtlpOptionsTest, ComeFromFlagAndEnvironment) {
  ::setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://one:4318/", 1);
  ::setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20x, team = a%3Db", 1);
  OtlpExporter::Options options = OtlpOptionsOfEnvironment("", "sasqd");
  EXPECT_EQ(options.url, "http://one:4318/v1/traces");
  EXPECT_THAT(options.headers, ElementsAre("authorization: Bearer x", "team: a=b"));
  EXPECT_EQ(options.service_name, "sasqd");

  ::setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://two/path", 1);
  ::setenv("OTEL_SERVICE_NAME", "quantizer", 1);
  options = OtlpOptionsOfEnvironment("", "sasqd");
  EXPECT_EQ(options.url, "https://two/path");
  EXPECT_EQ(options.service_name, "quantizer");
  EXPECT_EQ(OtlpOptionsOfEnvironment("http://three", "sasqd").url, "http://three/v1/traces");
}

}  // namespace
}  // namespace sasq
