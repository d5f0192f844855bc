// One line per event on stderr: time, level, event, then the event's own keys and those of the
// thread's LogScopes, as logfmt (https://brandur.org/logfmt) or as a JSON object. Never a secret.
// Thread-safe.
#ifndef SASQ_COMMON_LOG_H_
#define SASQ_COMMON_LOG_H_

#include <initializer_list>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"

namespace sasq {

// A key and its value in text form.
struct LogField {
  LogField(absl::string_view k, const absl::AlphaNum& v) : key(k), value(v.Piece()) {}
  LogField(absl::string_view k, const absl::Status& v) : key(k), value(v.ToString()) {}
  std::string key;
  std::string value;
};

// Events are snake_case words, such as `job_accepted`.
void LogInfo(absl::string_view event, std::initializer_list<LogField> fields = {});
void LogWarning(absl::string_view event, std::initializer_list<LogField> fields = {});
void LogError(absl::string_view event, std::initializer_list<LogField> fields = {});

// While it lives, the thread's lines have these fields too, where an event has none of that key.
// Fields without a value are left out. Scopes of a thread end in reverse order.
class LogScope {
 public:
  LogScope(std::initializer_list<LogField> fields);
  ~LogScope();
  LogScope(const LogScope&) = delete;
  LogScope& operator=(const LogScope&) = delete;

  const std::vector<LogField>& fields() const { return fields_; }
  const LogScope* outer() const { return outer_; }

 private:
  std::vector<LogField> fields_;
  const LogScope* const outer_;  // null: none
};

enum class LogFormat {
  kLogfmt,  // key=value key="quoted value"
  kJson,    // {"key":"value"}, every value a string
};

// A line without its newline, in the format that SetLogFormat said last.
std::string FormatLogLine(absl::Span<const LogField> fields);

// The time of a line.
LogField LogTime(absl::Time time);

// "logfmt", the default, or "json". INVALID_ARGUMENT otherwise.
absl::Status SetLogFormat(absl::string_view format);

// Lowest level that is written: "info", "warning", "error" or "off". INVALID_ARGUMENT otherwise.
absl::Status SetLogLevel(absl::string_view level);

}  // namespace sasq

#endif  // SASQ_COMMON_LOG_H_
