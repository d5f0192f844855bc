// Normalizers of tokenizer.json: what happens to text before it is split.
#ifndef SASQ_QUANT_TEXT_NORMALIZER_H_
#define SASQ_QUANT_TEXT_NORMALIZER_H_

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sasq {

// A chain of steps. Immutable, so thread-safe.
class Normalizer {
 public:
  // `spec`: the field "normalizer"; null for none. Known types: NFC, Prepend, Replace (of a
  // string), Sequence. INVALID_ARGUMENT (UNSUPPORTED_MODEL), by name, for others.
  static absl::StatusOr<Normalizer> Parse(const nlohmann::json* spec);

  // `text` is valid UTF-8, and so is the result.
  std::string Normalize(absl::string_view text) const;

  bool is_identity() const { return steps_.empty(); }

 private:
  struct Nfc {
    std::string operator()(const std::string& text) const;
  };
  struct Prepend {  // nothing to an empty text
    std::string operator()(const std::string& text) const;
    std::string prefix;
  };
  struct Replace {
    std::string operator()(const std::string& text) const;
    std::string pattern;  // not empty
    std::string content;
  };
  using Step = std::variant<Nfc, Prepend, Replace>;

  static absl::StatusOr<Step> ParseStep(const nlohmann::json& spec);

  std::vector<Step> steps_;
};

}  // namespace sasq

#endif  // SASQ_QUANT_TEXT_NORMALIZER_H_
