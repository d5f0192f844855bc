// Questions with choices, as files and as tokens. A task is a file of JSON lines, one question
// each:
//
//   {"context": "The capital of France is", "choices": [" Paris", " Rome"], "answer": 0}
//
// `answer` is the index of the right choice; other fields are ignored. The model reads context and
// choice one behind the other as they are: a choice brings its own space. A cloze question is one
// whose context ends at the gap. quant/eval/task.h scores them.
#ifndef SASQ_QUANT_TEXT_QUESTION_H_
#define SASQ_QUANT_TEXT_QUESTION_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "quant/text/tokenizer.h"

namespace sasq {

inline constexpr size_t kMaxChoices = 64;

// A line of a task.
struct Question {
  std::string context;
  std::vector<std::string> choices;  // 2..kMaxChoices
  size_t answer = 0;                 // index of the right choice
  std::string place;                 // file and line, for errors
};

// The questions of a task file; `what` names it. INVALID_ARGUMENT (INVALID_TEXT), telling the line,
// for one that is broken.
absl::StatusOr<std::vector<Question>> ParseQuestions(absl::string_view text,
                                                     absl::string_view what);

// A question as the model reads it. As in the harness, white space at the end of the context counts
// as the choice's, context and choice are encoded together, and the tokens behind as many as the
// context has alone are the choice's.
struct TokenizedQuestion {
  struct Choice {
    std::vector<int32_t> tokens;  // of context and choice; more than the context's
    int64_t byte_count = 0;       // UTF-8, without white space at its start; above 0
  };
  std::vector<int32_t> context;  // not empty
  std::vector<Choice> choices;
  size_t answer = 0;
};

// INVALID_ARGUMENT (INVALID_TEXT), telling the line, for a question with more than `max_tokens`
// tokens or a choice without tokens of its own.
absl::StatusOr<std::vector<TokenizedQuestion>> TokenizeQuestions(
    absl::Span<const Question> questions, const Tokenizer& tokenizer, int64_t max_tokens);

}  // namespace sasq

#endif  // SASQ_QUANT_TEXT_QUESTION_H_
