#include "common/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <utility>

#include "absl/strings/escaping.h"
#include "common/clock.h"
#include "nlohmann/json.hpp"

namespace sasq {
namespace {

std::atomic<LogFormat> log_format{LogFormat::kLogfmt};
thread_local const LogScope* innermost_scope = nullptr;

spdlog::logger& Logger() {
  static const std::shared_ptr<spdlog::logger> logger = [] {
    auto made =
        std::make_shared<spdlog::logger>("sasq", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("%v");
    made->flush_on(spdlog::level::info);
    return made;
  }();
  return *logger;
}

bool Has(const std::vector<LogField>& fields, absl::string_view key) {
  return std::any_of(fields.begin(), fields.end(),
                     [key](const LogField& field) { return field.key == key; });
}

void Write(spdlog::level::level_enum level, absl::string_view level_name, absl::string_view event,
           std::initializer_list<LogField> fields) {
  if (!Logger().should_log(level)) return;
  std::vector<LogField> line = {
      LogTime(Clock::Real()->Now()), {"level", level_name}, {"event", event}};
  line.insert(line.end(), fields.begin(), fields.end());
  for (const LogScope* scope = innermost_scope; scope != nullptr; scope = scope->outer()) {
    for (const LogField& field : scope->fields()) {
      if (!Has(line, field.key)) line.push_back(field);
    }
  }
  Logger().log(level, "{}", FormatLogLine(line));
}

bool NeedsQuotes(absl::string_view value) {
  return value.empty() || std::any_of(value.begin(), value.end(), [](unsigned char c) {
           return c <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7f;
         });
}

std::string FormatLogfmt(absl::Span<const LogField> fields) {
  std::string text;
  for (const LogField& field : fields) {
    if (!text.empty()) text += ' ';
    if (NeedsQuotes(field.value)) {
      absl::StrAppend(&text, field.key, "=\"", absl::Utf8SafeCEscape(field.value), "\"");
    } else {
      absl::StrAppend(&text, field.key, "=", field.value);
    }
  }
  return text;
}

std::string FormatJson(absl::Span<const LogField> fields) {
  nlohmann::ordered_json object = nlohmann::ordered_json::object();
  for (const LogField& field : fields) object[field.key] = field.value;
  // Bytes that are no UTF-8 become U+FFFD, so that nothing is thrown.
  return object.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace

LogScope::LogScope(std::initializer_list<LogField> fields) : outer_(innermost_scope) {
  for (const LogField& field : fields) {
    if (!field.value.empty()) fields_.push_back(field);
  }
  innermost_scope = this;
}

LogScope::~LogScope() { innermost_scope = outer_; }

std::string FormatLogLine(absl::Span<const LogField> fields) {
  return log_format.load() == LogFormat::kJson ? FormatJson(fields) : FormatLogfmt(fields);
}

LogField LogTime(absl::Time time) {
  return {"ts", absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", time, absl::UTCTimeZone())};
}

void LogInfo(absl::string_view event, std::initializer_list<LogField> fields) {
  Write(spdlog::level::info, "info", event, fields);
}

void LogWarning(absl::string_view event, std::initializer_list<LogField> fields) {
  Write(spdlog::level::warn, "warning", event, fields);
}

void LogError(absl::string_view event, std::initializer_list<LogField> fields) {
  Write(spdlog::level::err, "error", event, fields);
}

absl::Status SetLogFormat(absl::string_view format) {
  if (format == "logfmt") {
    log_format = LogFormat::kLogfmt;
  } else if (format == "json") {
    log_format = LogFormat::kJson;
  } else {
    return absl::InvalidArgumentError(
        absl::StrCat("log format is \"", format, "\", want logfmt or json"));
  }
  return absl::OkStatus();
}

absl::Status SetLogLevel(absl::string_view level) {
  if (level == "info") {
    Logger().set_level(spdlog::level::info);
  } else if (level == "warning") {
    Logger().set_level(spdlog::level::warn);
  } else if (level == "error") {
    Logger().set_level(spdlog::level::err);
  } else if (level == "off") {
    Logger().set_level(spdlog::level::off);
  } else {
    return absl::InvalidArgumentError(
        absl::StrCat("log level is \"", level, "\", want info, warning, error or off"));
  }
  return absl::OkStatus();
}

}  // namespace sasq
