// Sends spans to a collector: OTLP over HTTP, binary Protocol Buffers
// (https://opentelemetry.io/docs/specs/otlp/).
#ifndef SASQ_COMMON_OTLP_EXPORTER_H_
#define SASQ_COMMON_OTLP_EXPORTER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/mutex.h"
#include "common/trace.h"

namespace sasq {

// Has one thread. Spans wait in memory, up to a limit, and go in batches; a batch that the
// collector does not take in several tries is dropped, and the log says so. Nobody else ever waits
// for it.
class OtlpExporter final : public SpanSink {
 public:
  struct Options {
    std::string url;  // of the collector's traces, http or https
    // `Name: value` of every request. May hold secrets.
    std::vector<std::string> headers;
    std::string service_name;         // such as `sasqd`
    std::string service_instance_id;  // tells processes apart
    size_t max_waiting = 4096;        // spans; more are dropped
    size_t max_batch = 512;           // spans of one request
    absl::Duration interval = absl::Seconds(2);
    int max_tries = 5;
    absl::Duration first_pause = absl::Seconds(1);  // between tries; doubles
    absl::Duration stop_timeout = absl::Seconds(3);
  };

  // INVALID_ARGUMENT for a URL that is none.
  static absl::StatusOr<std::unique_ptr<OtlpExporter>> Create(Options options);
  // Sends what waits, each batch once, for stop_timeout at most.
  ~OtlpExporter() override;

  void Add(SpanData span) override ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  explicit OtlpExporter(Options options);

  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  // The spans that go next; waits for some. None: the end.
  std::vector<SpanData> TakeBatch() ABSL_LOCKS_EXCLUDED(mutex_);
  // With tries and pauses.
  void Send(const std::vector<SpanData>& batch) ABSL_LOCKS_EXCLUDED(mutex_);
  // One try. UNAVAILABLE if another one may help.
  absl::Status Post(const std::string& body);
  // Waits; the begin of the end ends the wait. False: it has begun.
  bool Pause(absl::Duration duration) ABSL_LOCKS_EXCLUDED(mutex_);

  // Constant after construction.
  const Options options_;

  std::stop_source stop_;  // of a request that takes too long at the end

  Mutex mutex_;
  CondVar changed_;
  std::vector<SpanData> waiting_ ABSL_GUARDED_BY(mutex_);
  int64_t dropped_ ABSL_GUARDED_BY(mutex_) = 0;  // not told of yet
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool done_ ABSL_GUARDED_BY(mutex_) = false;

  std::thread thread_;  // last: uses the members above
};

// What the OpenTelemetry specification's variables say: $OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, else
// $OTEL_EXPORTER_OTLP_ENDPOINT with /v1/traces behind it; $OTEL_EXPORTER_OTLP_TRACES_HEADERS, else
// $OTEL_EXPORTER_OTLP_HEADERS, as `name=value,name=value`; $OTEL_SERVICE_NAME, else `service_name`.
// `endpoint`, if it is not empty, is instead of the first two, with /v1/traces behind it. The url
// is empty if no collector is named.
OtlpExporter::Options OtlpOptionsOfEnvironment(const std::string& endpoint,
                                               const std::string& service_name);

// The exporter of these options; null if no collector is named.
absl::StatusOr<std::unique_ptr<OtlpExporter>> OpenOtlpExporter(const std::string& endpoint,
                                                               const std::string& service_name);

}  // namespace sasq

#endif  // SASQ_COMMON_OTLP_EXPORTER_H_
