#include "quant/text/question.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "quant/text/json_fields.h"
#include "quant/text/json_lines.h"
#include "quant/text/text_error.h"

namespace sasq {
namespace {

using nlohmann::json;

absl::StatusOr<Question> ParseQuestion(const json& object) {
  Question question;
  SASQ_ASSIGN_OR_RETURN(question.context, NonemptyString(object, "context"));
  const json* const choices = FindField(object, "choices");
  if (choices == nullptr || !choices->is_array() || choices->size() < 2 ||
      choices->size() > kMaxChoices) {
    return absl::InvalidArgumentError(absl::StrCat(
        "\"choices\" is missing or malformed, want an array of 2..", kMaxChoices, " strings"));
  }
  for (const json& choice : *choices) {
    if (!choice.is_string() ||
        absl::StripAsciiWhitespace(choice.get_ref<const std::string&>()).empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("\"choices\" holds ", choice.dump(), ", want strings that are not empty"));
    }
    question.choices.push_back(choice.get<std::string>());
  }
  const json* const answer = FindField(object, "answer");
  if (answer == nullptr || !answer->is_number_unsigned() ||
      answer->get<uint64_t>() >= choices->size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"answer\" is missing or malformed, want the index of the right choice, 0..",
                     choices->size() - 1));
  }
  question.answer = answer->get<size_t>();
  return question;
}

absl::StatusOr<TokenizedQuestion> TokenizeQuestion(const Question& question,
                                                   const Tokenizer& tokenizer, int64_t max_tokens) {
  TokenizedQuestion tokenized;
  tokenized.answer = question.answer;
  SASQ_ASSIGN_OR_RETURN(tokenized.context,
                        tokenizer.Encode(absl::StripTrailingAsciiWhitespace(question.context)));
  for (const std::string& choice : question.choices) {
    SASQ_ASSIGN_OR_RETURN(std::vector<int32_t> tokens,
                          tokenizer.Encode(absl::StrCat(question.context, choice)));
    if (tokenized.context.empty() || tokens.size() <= tokenized.context.size()) {
      return absl::InvalidArgumentError(
          absl::StrCat("the choice \"", choice, "\" has no tokens of its own"));
    }
    if (static_cast<int64_t>(tokens.size()) > max_tokens) {
      return absl::InvalidArgumentError(absl::StrCat("context and choice have ", tokens.size(),
                                                     " tokens, want at most ", max_tokens));
    }
    const size_t bytes = absl::StripLeadingAsciiWhitespace(choice).size();
    tokenized.choices.push_back({std::move(tokens), static_cast<int64_t>(bytes)});
  }
  return tokenized;
}

}  // namespace

absl::StatusOr<std::vector<Question>> ParseQuestions(absl::string_view text,
                                                     absl::string_view what) {
  std::vector<Question> questions;
  SASQ_RETURN_IF_ERROR(
      ForEachJsonLine(text, what, [&](const json& object, int64_t line) -> absl::Status {
        SASQ_ASSIGN_OR_RETURN(Question question, ParseQuestion(object));
        question.place = absl::StrCat(what, ":", line);
        questions.push_back(std::move(question));
        return absl::OkStatus();
      }));
  return questions;
}

absl::StatusOr<std::vector<TokenizedQuestion>> TokenizeQuestions(
    absl::Span<const Question> questions, const Tokenizer& tokenizer, int64_t max_tokens) {
  std::vector<TokenizedQuestion> tokenized;
  for (const Question& question : questions) {
    absl::StatusOr<TokenizedQuestion> one = TokenizeQuestion(question, tokenizer, max_tokens);
    if (!one.ok()) {
      return InvalidText(absl::StrCat(question.place, ": ", one.status().message()));
    }
    tokenized.push_back(*std::move(one));
  }
  return tokenized;
}

}  // namespace sasq
