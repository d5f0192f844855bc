#include "common/trace.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/uid.h"

namespace sasq {
namespace {

constexpr size_t kTraceIdDigits = 32;
constexpr size_t kSpanIdDigits = 16;

bool IsHex(absl::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool IsId(absl::string_view text) {
  return IsHex(text) && text.find_first_not_of('0') != absl::string_view::npos;
}

}  // namespace

std::string TraceContext::ToTraceparent() const {
  return absl::StrCat("00-", trace_id, "-", span_id, is_sampled ? "-01" : "-00");
}

// Section 3.2.2: version-traceid-spanid-flags. Of a later version than 00 the fields of 00 count,
// and more may follow behind a dash.
std::optional<TraceContext> ParseTraceparent(absl::string_view text) {
  constexpr size_t kTraceIdAt = 3;
  constexpr size_t kSpanIdAt = kTraceIdAt + kTraceIdDigits + 1;
  constexpr size_t kFlagsAt = kSpanIdAt + kSpanIdDigits + 1;
  constexpr size_t kSize = kFlagsAt + 2;
  if (text.size() < kSize || text[kTraceIdAt - 1] != '-' || text[kSpanIdAt - 1] != '-' ||
      text[kFlagsAt - 1] != '-') {
    return std::nullopt;
  }
  const absl::string_view version = text.substr(0, 2);
  const absl::string_view flags = text.substr(kFlagsAt, 2);
  TraceContext context;
  context.trace_id = std::string(text.substr(kTraceIdAt, kTraceIdDigits));
  context.span_id = std::string(text.substr(kSpanIdAt, kSpanIdDigits));
  if (!IsHex(version) || version == "ff" || !IsHex(flags)) return std::nullopt;
  if (!IsId(context.trace_id) || !IsId(context.span_id)) return std::nullopt;
  if (text.size() > kSize && (version == "00" || text[kSize] != '-')) return std::nullopt;
  context.is_sampled = absl::string_view("13579bdf").find(flags[1]) != absl::string_view::npos;
  return context;
}

std::string TraceIdOf(absl::string_view traceparent) {
  const std::optional<TraceContext> context = ParseTraceparent(traceparent);
  return context.has_value() ? context->trace_id : "";
}

Span& Span::operator=(Span&& other) noexcept {
  if (this == &other) return *this;
  End();
  data_ = other.data_;  // a copy: who moved a span on may still ask for its context
  sink_ = std::exchange(other.sink_, nullptr);
  clock_ = other.clock_;
  return *this;
}

void Span::SetAttribute(absl::string_view key, absl::string_view value) {
  if (sink_ != nullptr) data_.attributes.emplace_back(key, value);
}

void Span::End(const absl::Status& status) {
  SpanSink* const sink = std::exchange(sink_, nullptr);
  if (sink == nullptr) return;
  data_.status = status;
  data_.end = clock_->Now();
  sink->Add(data_);
}

const Tracer& Tracer::Off() {
  static const Tracer* const off = new Tracer(nullptr);
  return *off;
}

Span Tracer::Start(absl::string_view name, SpanKind kind, const std::optional<TraceContext>& parent,
                   SpanAttributes attributes) const {
  return StartAt(clock_->Now(), name, kind, parent, std::move(attributes));
}

Span Tracer::StartAt(absl::Time start, absl::string_view name, SpanKind kind,
                     const std::optional<TraceContext>& parent, SpanAttributes attributes) const {
  Span span;
  TraceContext& context = span.data_.context;
  context.trace_id = parent.has_value() ? parent->trace_id : NewUid();
  context.span_id = NewUid().substr(0, kSpanIdDigits);
  context.is_sampled = !parent.has_value() || parent->is_sampled;
  if (sink_ == nullptr || !context.is_sampled) return span;
  if (parent.has_value()) span.data_.parent_span_id = parent->span_id;
  span.data_.name = std::string(name);
  span.data_.kind = kind;
  span.data_.start = start;
  span.data_.attributes = std::move(attributes);
  span.sink_ = sink_;
  span.clock_ = clock_;
  return span;
}

}  // namespace sasq
