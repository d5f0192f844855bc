#include "quant/text/normalizer.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/status_macros.h"
#include "quant/format/model_error.h"
#include "quant/text/json_fields.h"
#include "quant/text/unicode.h"

namespace sasq {

std::string Normalizer::Nfc::operator()(const std::string& text) const {
  return NormalizeNfc(text);
}

std::string Normalizer::Prepend::operator()(const std::string& text) const {
  return text.empty() ? text : absl::StrCat(prefix, text);
}

std::string Normalizer::Replace::operator()(const std::string& text) const {
  return absl::StrReplaceAll(text, {{pattern, content}});
}

absl::StatusOr<Normalizer::Step> Normalizer::ParseStep(const nlohmann::json& spec) {
  SASQ_ASSIGN_OR_RETURN(const std::string type, StringField(spec, "type"));
  if (type == "NFC") return Nfc{};
  if (type == "Prepend") {
    SASQ_ASSIGN_OR_RETURN(std::string prefix, StringField(spec, "prepend"));
    return Prepend{std::move(prefix)};
  }
  if (type == "Replace") {
    const nlohmann::json* pattern = FindField(spec, "pattern");
    if (pattern == nullptr || !pattern->is_object() || FindField(*pattern, "String") == nullptr) {
      return UnsupportedModel(
          "the normalizer Replace has a pattern that is not a string, which this version does not "
          "know");
    }
    SASQ_ASSIGN_OR_RETURN(std::string text, StringField(*pattern, "String"));
    SASQ_ASSIGN_OR_RETURN(std::string content, StringField(spec, "content"));
    if (text.empty()) return InvalidModel("the normalizer Replace has an empty pattern");
    return Replace{std::move(text), std::move(content)};
  }
  return UnsupportedModel(absl::StrCat("the normalizer ", type,
                                       " is not known; known are NFC, Prepend, Replace, Sequence"));
}

absl::StatusOr<Normalizer> Normalizer::Parse(const nlohmann::json* spec) {
  Normalizer normalizer;
  SASQ_ASSIGN_OR_RETURN(const auto parts, FlattenSequence(spec, "normalizers"));
  for (const nlohmann::json* part : parts) {
    SASQ_ASSIGN_OR_RETURN(Step step, ParseStep(*part));
    normalizer.steps_.push_back(std::move(step));
  }
  return normalizer;
}

std::string Normalizer::Normalize(absl::string_view text) const {
  std::string normalized(text);
  for (const Step& step : steps_) {
    normalized =
        std::visit([&normalized](const auto& apply) { return apply(std::move(normalized)); }, step);
  }
  return normalized;
}

}  // namespace sasq
