#include "common/otlp_exporter.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/environment.h"
#include "common/http.h"
#include "common/log.h"
#include "common/metrics.h"
#include "common/uid.h"
#include "opentelemetry/otlp.pb.h"

namespace sasq {
namespace {

namespace otlp = ::opentelemetry;

constexpr char kTracesPath[] = "/v1/traces";
// Of the collector's answer; more than that is no answer.
constexpr size_t kMaxAnswerBytes = 64 << 10;

void AddAttribute(absl::string_view key, absl::string_view value,
                  google::protobuf::RepeatedPtrField<otlp::KeyValue>* attributes) {
  otlp::KeyValue* const attribute = attributes->Add();
  attribute->set_key(std::string(key));
  attribute->mutable_value()->set_string_value(std::string(value));
}

otlp::SpanKind KindOf(SpanKind kind) {
  switch (kind) {
    case SpanKind::kInternal:
      return otlp::SPAN_KIND_INTERNAL;
    case SpanKind::kServer:
      return otlp::SPAN_KIND_SERVER;
    case SpanKind::kClient:
      return otlp::SPAN_KIND_CLIENT;
    case SpanKind::kConsumer:
      return otlp::SPAN_KIND_CONSUMER;
  }
  return otlp::SPAN_KIND_UNSPECIFIED;
}

void AddSpan(const SpanData& span, otlp::ScopeSpans& to) {
  otlp::Span& added = *to.add_spans();
  added.set_trace_id(absl::HexStringToBytes(span.context.trace_id));
  added.set_span_id(absl::HexStringToBytes(span.context.span_id));
  added.set_parent_span_id(absl::HexStringToBytes(span.parent_span_id));
  added.set_name(span.name);
  added.set_kind(KindOf(span.kind));
  added.set_start_time_unix_nano(static_cast<uint64_t>(absl::ToUnixNanos(span.start)));
  added.set_end_time_unix_nano(static_cast<uint64_t>(absl::ToUnixNanos(span.end)));
  for (const auto& [key, value] : span.attributes) {
    AddAttribute(key, value, added.mutable_attributes());
  }
  if (span.status.ok()) return;
  added.mutable_status()->set_code(otlp::STATUS_CODE_ERROR);
  added.mutable_status()->set_message(span.status.ToString());
}

std::string BodyOf(const OtlpExporter::Options& options, const std::vector<SpanData>& batch) {
  otlp::ExportTraceServiceRequest request;
  otlp::ResourceSpans& spans = *request.add_resource_spans();
  auto* const resource = spans.mutable_resource()->mutable_attributes();
  AddAttribute("service.name", options.service_name, resource);
  AddAttribute("service.version", Version(), resource);
  AddAttribute("service.instance.id", options.service_instance_id, resource);
  otlp::ScopeSpans& scope = *spans.add_scope_spans();
  scope.mutable_scope()->set_name("sasq");
  scope.mutable_scope()->set_version(std::string(Version()));
  for (const SpanData& span : batch) AddSpan(span, scope);
  return request.SerializeAsString();
}

// Section "Failures" of the specification: what may be tried again.
bool IsRetryable(int status) {
  return status == 429 || status == 502 || status == 503 || status == 504;
}

// Of `name=value,name=value`, values in percent-encoding.
std::vector<std::string> ParseHeaders(const std::string& text) {
  std::vector<std::string> headers;
  for (const absl::string_view pair : absl::StrSplit(text, ',', absl::SkipWhitespace())) {
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(pair, absl::MaxSplits('=', 1));
    headers.push_back(absl::StrCat(absl::StripAsciiWhitespace(parts.first), ": ",
                                   PercentDecode(absl::StripAsciiWhitespace(parts.second))));
  }
  return headers;
}

}  // namespace

absl::StatusOr<std::unique_ptr<OtlpExporter>> OtlpExporter::Create(Options options) {
  const std::string& url = options.url;
  if (!absl::StartsWith(url, "http://") && !absl::StartsWith(url, "https://")) {
    return absl::InvalidArgumentError(absl::StrCat("the collector of traces is \"", url,
                                                   "\", want a URL such as http://127.0.0.1:4318"));
  }
  return std::unique_ptr<OtlpExporter>(new OtlpExporter(std::move(options)));
}

OtlpExporter::OtlpExporter(Options options)
    : options_(std::move(options)), thread_([this] { Run(); }) {}

OtlpExporter::~OtlpExporter() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    changed_.SignalAll();
    const Stopwatch waited;
    while (!done_) {
      const absl::Duration left = options_.stop_timeout - absl::Seconds(waited.Seconds());
      if (left <= absl::ZeroDuration()) break;
      changed_.WaitFor(&mutex_, left);
    }
  }
  stop_.request_stop();
  thread_.join();
}

void OtlpExporter::Add(SpanData span) {
  MutexLock lock(&mutex_);
  if (waiting_.size() >= options_.max_waiting) {
    ++dropped_;
    return;
  }
  waiting_.push_back(std::move(span));
  if (waiting_.size() == options_.max_batch) changed_.SignalAll();
}

void OtlpExporter::Run() {
  for (std::vector<SpanData> batch = TakeBatch(); !batch.empty(); batch = TakeBatch()) Send(batch);
  MutexLock lock(&mutex_);
  done_ = true;
  changed_.SignalAll();
}

std::vector<SpanData> OtlpExporter::TakeBatch() {
  MutexLock lock(&mutex_);
  Stopwatch waited;
  while (!stopping_ && waiting_.size() < options_.max_batch) {
    const absl::Duration left = options_.interval - absl::Seconds(waited.Seconds());
    if (left > absl::ZeroDuration()) {
      changed_.WaitFor(&mutex_, left);
    } else if (waiting_.empty()) {
      waited = Stopwatch();
    } else {
      break;
    }
  }
  const size_t count = std::min(waiting_.size(), options_.max_batch);
  std::vector<SpanData> batch(std::make_move_iterator(waiting_.begin()),
                              std::make_move_iterator(waiting_.begin() + count));
  waiting_.erase(waiting_.begin(), waiting_.begin() + count);
  return batch;
}

void OtlpExporter::Send(const std::vector<SpanData>& batch) {
  const std::string body = BodyOf(options_, batch);
  absl::Status status;
  absl::Duration pause = options_.first_pause;
  for (int tries = 1;; ++tries) {
    status = Post(body);
    if (!absl::IsUnavailable(status) || tries == options_.max_tries || !Pause(pause)) break;
    pause *= 2;
  }
  int64_t dropped = 0;
  {
    MutexLock lock(&mutex_);
    dropped = std::exchange(dropped_, 0);
  }
  if (!status.ok()) dropped += static_cast<int64_t>(batch.size());
  if (dropped > 0) {
    LogWarning(
        "spans_dropped",
        {{"count", dropped},
         {"error", status.ok() ? absl::ResourceExhaustedError("too many at once") : status}});
  }
}

absl::Status OtlpExporter::Post(const std::string& body) {
  HttpRequest request;
  request.method = "POST";
  request.url = options_.url;
  request.body = body;
  request.headers = options_.headers;
  request.headers.push_back("Content-Type: application/x-protobuf");
  request.follows_redirects = false;
  HttpLimits limits;
  limits.connect_timeout = absl::Seconds(5);
  limits.stall_timeout = absl::Seconds(5);
  std::string answer;
  const absl::StatusOr<HttpResponse> response = HttpCall(
      request, limits, stop_.get_token(), [&answer](const HttpResponse&, absl::string_view data) {
        absl::StrAppend(&answer, data.substr(0, kMaxAnswerBytes - answer.size()));
        return absl::OkStatus();
      });
  if (!response.ok()) return response.status();
  if (IsRetryable(response->status)) {
    return absl::UnavailableError(absl::StrCat(options_.url, " answers ", response->status));
  }
  if (response->status / 100 != 2) {
    return absl::FailedPreconditionError(absl::StrCat(options_.url, " answers ", response->status));
  }
  otlp::ExportTraceServiceResponse parsed;
  if (!parsed.ParseFromString(answer) || parsed.partial_success().rejected_spans() == 0) {
    return absl::OkStatus();
  }
  LogWarning("spans_rejected", {{"count", parsed.partial_success().rejected_spans()},
                                {"error", parsed.partial_success().error_message()}});
  return absl::OkStatus();
}

bool OtlpExporter::Pause(absl::Duration duration) {
  const Stopwatch waited;
  MutexLock lock(&mutex_);
  while (!stopping_) {
    const absl::Duration left = duration - absl::Seconds(waited.Seconds());
    if (left <= absl::ZeroDuration()) return true;
    changed_.WaitFor(&mutex_, left);
  }
  return false;
}

OtlpExporter::Options OtlpOptionsOfEnvironment(const std::string& endpoint,
                                               const std::string& service_name) {
  OtlpExporter::Options options;
  const std::string base =
      endpoint.empty() ? EnvironmentOr({"OTEL_EXPORTER_OTLP_ENDPOINT"}, "") : endpoint;
  if (!base.empty()) {
    options.url = absl::StrCat(absl::StripSuffix(base, "/"), kTracesPath);
  }
  if (endpoint.empty()) {
    options.url = EnvironmentOr({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"}, options.url);
  }
  options.headers = ParseHeaders(
      EnvironmentOr({"OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"}, ""));
  options.service_name = EnvironmentOr({"OTEL_SERVICE_NAME"}, service_name);
  options.service_instance_id = NewUid();
  return options;
}

absl::StatusOr<std::unique_ptr<OtlpExporter>> OpenOtlpExporter(const std::string& endpoint,
                                                               const std::string& service_name) {
  OtlpExporter::Options options = OtlpOptionsOfEnvironment(endpoint, service_name);
  if (options.url.empty()) return nullptr;
  return OtlpExporter::Create(std::move(options));
}

}  // namespace sasq
