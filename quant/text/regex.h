// The regular expressions of tokenizer.json. They are written for Oniguruma (Ruby's syntax); PCRE2
// runs them, after what the two read differently was translated or refused.
#ifndef SASQ_QUANT_TEXT_REGEX_H_
#define SASQ_QUANT_TEXT_REGEX_H_

#include <cstddef>
#include <memory>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sasq {

// `pattern` in PCRE2's syntax (UTF and UCP mode). INVALID_ARGUMENT (UNSUPPORTED_MODEL), naming the
// construct, for one whose meaning differs or is not known to agree: \w, \h, scripts, back
// references, nested classes, possessive intervals and the like.
absl::StatusOr<std::string> TranslatePattern(absl::string_view pattern);

// A compiled pattern. Immutable, so thread-safe.
class Regex {
 public:
  // INVALID_ARGUMENT (UNSUPPORTED_MODEL), with the pattern, if it cannot be translated or compiled
  // or matches the empty string.
  static absl::StatusOr<std::unique_ptr<const Regex>> Compile(absl::string_view pattern);
  ~Regex();
  Regex(const Regex&) = delete;
  Regex& operator=(const Regex&) = delete;

  // Calls `on_match` with begin and end, in bytes, of each match from left to right, none
  // overlapping; stops at its first error and returns it. `text` is valid UTF-8. INVALID_ARGUMENT
  // (INVALID_TEXT) if the text drives the pattern beyond the limits of time or memory.
  absl::Status ForEachMatch(absl::string_view text,
                            absl::FunctionRef<absl::Status(size_t, size_t)> on_match) const;

 private:
  struct Impl;
  explicit Regex(std::unique_ptr<const Impl> impl);

  const std::unique_ptr<const Impl> impl_;
};

}  // namespace sasq

#endif  // SASQ_QUANT_TEXT_REGEX_H_
