#include "quant/eval/generation.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/mv.h>

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "quant/model/forward.h"
#include "quant/model/kv_cache.h"
#include "quant/model/model_parts.h"
#include "quant/model/torch_guard.h"

namespace sasq {
namespace {

constexpr size_t kRepetitionTokens = 4;

// The answer to one prompt. `head` is the output layer, [vocab_size, hidden_size].
absl::StatusOr<std::vector<int32_t>> Answer(const Model& model, const at::Tensor& head,
                                            SiteExecutor& prefill, SiteExecutor& decode,
                                            absl::Span<const int32_t> prompt, int64_t max_tokens,
                                            const GenerationOptions& options) {
  KvCache cache;
  SASQ_ASSIGN_OR_RETURN(at::Tensor hidden,
                        Forward(model, prompt, prefill,
                                {.past = options.prefix, .kept = &cache, .stop = options.stop}));
  std::vector<int32_t> answer;
  while (true) {
    const at::Tensor logits = at::mv(head, hidden.select(0, hidden.size(0) - 1));
    const int32_t token = static_cast<int32_t>(at::argmax(logits).item<int64_t>());
    answer.push_back(token);
    if (static_cast<int64_t>(answer.size()) == max_tokens ||
        absl::c_linear_search(options.eos_token_ids, token)) {
      return answer;
    }
    SASQ_ASSIGN_OR_RETURN(hidden, Forward(model, {token}, decode,
                                          {.past = &cache, .kept = &cache, .stop = options.stop}));
  }
}

}  // namespace

absl::StatusOr<std::vector<std::vector<int32_t>>> GenerateGreedy(
    const Model& model, SiteExecutor& prefill, SiteExecutor& decode,
    absl::Span<const std::vector<int32_t>> prompts, const GenerationOptions& options) {
  SASQ_CHECK(options.max_tokens > 0);
  const int64_t prefix_count = options.prefix == nullptr ? 0 : options.prefix->token_count;
  return CatchTorchOr([&]() -> absl::StatusOr<std::vector<std::vector<int32_t>>> {
    const at::NoGradGuard no_grad;
    const at::Tensor head = FloatTensor(model.parts().head, model.parts().device);
    std::vector<std::vector<int32_t>> answers;
    for (const std::vector<int32_t>& prompt : prompts) {
      // The last token of an answer is not read again.
      const int64_t room =
          model.max_tokens() - prefix_count - static_cast<int64_t>(prompt.size()) + 1;
      if (prompt.empty() || room < 1) {
        return absl::InvalidArgumentError(
            absl::StrCat("prompt ", answers.size() + 1, " has ", prompt.size(), " tokens, want 1..",
                         model.max_tokens() - prefix_count, ", the context of the model"));
      }
      SASQ_ASSIGN_OR_RETURN(std::vector<int32_t> answer,
                            Answer(model, head, prefill, decode, prompt,
                                   std::min(room, options.max_tokens), options));
      answers.push_back(std::move(answer));
      if (options.on_prompt) options.on_prompt(static_cast<int64_t>(answers.size()));
    }
    return answers;
  });
}

AnswerComparison CompareAnswers(absl::Span<const std::vector<int32_t>> float_answers,
                                absl::Span<const std::vector<int32_t>> answers) {
  SASQ_CHECK(float_answers.size() == answers.size());
  size_t until_divergence = 0, equal = 0, positions = 0, repeated = 0, ngrams = 0;
  for (size_t i = 0; i < answers.size(); ++i) {
    const std::vector<int32_t>& a = float_answers[i];
    const std::vector<int32_t>& b = answers[i];
    const size_t common = std::min(a.size(), b.size());
    positions += std::max(a.size(), b.size());
    until_divergence += static_cast<size_t>(
        std::mismatch(a.begin(), a.begin() + static_cast<int64_t>(common), b.begin()).first -
        a.begin());
    for (size_t t = 0; t < common; ++t) equal += a[t] == b[t];
    std::set<std::array<int32_t, kRepetitionTokens>> seen;
    for (size_t t = 0; t + kRepetitionTokens <= b.size(); ++t, ++ngrams) {
      repeated += !seen.insert({b[t], b[t + 1], b[t + 2], b[t + 3]}).second;
    }
  }
  const auto share = [](size_t part, size_t whole) {
    return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
  };
  return {.prompt_count = static_cast<int64_t>(answers.size()),
          .tokens_until_divergence = share(until_divergence, answers.size()),
          .agreement = share(equal, positions),
          .repetition = share(repeated, ngrams)};
}

}  // namespace sasq
