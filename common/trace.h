// Distributed tracing: which trace something belongs to (W3C Trace Context,
// https://www.w3.org/TR/trace-context/), and spans, the things that took time in it.
#ifndef SASQ_COMMON_TRACE_H_
#define SASQ_COMMON_TRACE_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/clock.h"

namespace sasq {

// Name of the context in HTTP headers and gRPC metadata.
inline constexpr char kTraceparentHeader[] = "traceparent";

// A place in a trace. Made by ParseTraceparent and Tracer.
struct TraceContext {
  std::string trace_id;  // 32 lower-case hexadecimal digits
  std::string span_id;   // 16 of them
  bool is_sampled = true;

  std::string ToTraceparent() const;
};

// nullopt for anything that is no traceparent, such as an empty text: the trace begins here then.
std::optional<TraceContext> ParseTraceparent(absl::string_view text);

// The trace id in it, for logs; empty if there is none.
std::string TraceIdOf(absl::string_view traceparent);

enum class SpanKind { kInternal, kServer, kClient, kConsumer };

using SpanAttributes = std::vector<std::pair<std::string, std::string>>;

// A span that ended.
struct SpanData {
  TraceContext context;
  std::string parent_span_id;  // empty: the trace began with it
  std::string name;            // of few kinds
  SpanKind kind = SpanKind::kInternal;
  absl::Time start;
  absl::Time end;
  SpanAttributes attributes;
  absl::Status status;
};

// Where ended spans go. Thread-safe and quick.
class SpanSink {
 public:
  virtual ~SpanSink() = default;
  virtual void Add(SpanData span) = 0;
};

// Something that takes time, until End or its destruction. One thread at a time.
class Span {
 public:
  // One that nobody hears of, in no trace.
  Span() = default;
  Span(Span&& other) noexcept { *this = std::move(other); }
  Span& operator=(Span&& other) noexcept;
  ~Span() { End(); }

  const TraceContext& context() const { return data_.context; }
  void SetAttribute(absl::string_view key, absl::string_view value);
  // The first call counts.
  void End(const absl::Status& status = absl::OkStatus());

 private:
  friend class Tracer;
  SpanData data_;
  SpanSink* sink_ = nullptr;  // null: ended, or nobody hears of it
  const Clock* clock_ = nullptr;
};

// Makes spans. Thread-safe.
class Tracer {
 public:
  // `sink` outlives the tracer's spans; null: nobody hears of them, and they have ids all the same,
  // for logs.
  explicit Tracer(SpanSink* sink, const Clock* clock = Clock::Real())
      : sink_(sink), clock_(clock) {}

  // One without a sink. Lives forever.
  static const Tracer& Off();

  // A span that begins now, within `parent`, or in a trace of its own. Not heard of if its parent
  // is not sampled.
  Span Start(absl::string_view name, SpanKind kind, const std::optional<TraceContext>& parent,
             SpanAttributes attributes = {}) const;

  // The same for one that began earlier.
  Span StartAt(absl::Time start, absl::string_view name, SpanKind kind,
               const std::optional<TraceContext>& parent, SpanAttributes attributes = {}) const;

 private:
  SpanSink* const sink_;
  const Clock* const clock_;
};

}  // namespace sasq

#endif  // SASQ_COMMON_TRACE_H_
