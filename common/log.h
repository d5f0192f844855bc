// One line per event on stderr, logfmt (https://brandur.org/logfmt): time, level, event, then the
// event's own keys. Never a secret. Thread-safe.
#ifndef SASQ_COMMON_LOG_H_
#define SASQ_COMMON_LOG_H_

#include <initializer_list>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

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

// `key=value key="quoted value"`, the form of a log line's fields.
std::string FormatLogFields(std::initializer_list<LogField> fields);

// Lowest level that is written: "info", "warning", "error" or "off". INVALID_ARGUMENT otherwise.
absl::Status SetLogLevel(absl::string_view level);

}  // namespace sasq

#endif  // SASQ_COMMON_LOG_H_
