#include "quant/eval/task.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/cat.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "common/clock.h"
#include "common/status_macros.h"
#include "quant/model/forward.h"
#include "quant/model/kv_cache.h"
#include "quant/model/next_token_loss.h"
#include "quant/model/torch_guard.h"

namespace sasq {
namespace {

// Log-likelihoods of choices by one model, computed in one way.
class ChoiceScorer {
 public:
  ChoiceScorer(const Model& model, SiteExecutor& executor, const TaskOptions& options)
      : model_(model), executor_(executor), options_(options), loss_(model) {}

  absl::StatusOr<std::vector<double>> Score(const TokenizedQuestion& question) {
    const absl::Span<const int32_t> context = question.context;
    KvCache cache;
    SASQ_ASSIGN_OR_RETURN(const at::Tensor hidden, Read(context, options_.prefix, &cache));
    std::vector<double> log_likelihoods;
    for (const TokenizedQuestion::Choice& choice : question.choices) {
      const absl::Span<const int32_t> tokens = choice.tokens;
      absl::StatusOr<double> nats = absl::UnknownError("not scored");
      if (tokens.first(context.size()) == context) {
        nats = ScoreAfterContext(hidden, cache, tokens.subspan(context.size() - 1));
      } else {
        // The choice's first letters changed how the context's last ones are cut into tokens.
        nats = ScoreAlone(tokens, static_cast<int64_t>(context.size()));
      }
      SASQ_RETURN_IF_ERROR(nats.status());
      log_likelihoods.push_back(*nats);
    }
    return log_likelihoods;
  }

 private:
  absl::StatusOr<at::Tensor> Read(absl::Span<const int32_t> tokens, const KvCache* past,
                                  KvCache* kept) {
    return Forward(model_, tokens, executor_, {.past = past, .kept = kept, .stop = options_.stop});
  }

  // `tokens`: the context's last token, whose hidden state is the last row of `context_hidden`, and
  // the choice's.
  absl::StatusOr<double> ScoreAfterContext(const at::Tensor& context_hidden, const KvCache& cache,
                                           absl::Span<const int32_t> tokens) {
    const at::Tensor last = context_hidden.narrow(0, context_hidden.size(0) - 1, 1);
    std::vector<at::Tensor> rows = {last};
    if (tokens.size() > 2) {
      SASQ_ASSIGN_OR_RETURN(rows.emplace_back(),
                            Read(tokens.subspan(1, tokens.size() - 2), &cache, nullptr));
    }
    rows.push_back(last);  // in place of the last token's, from which nothing is predicted
    return LogLikelihood(at::cat(rows), tokens, 0);
  }

  absl::StatusOr<double> ScoreAlone(absl::Span<const int32_t> tokens, int64_t context_count) {
    SASQ_ASSIGN_OR_RETURN(const at::Tensor hidden, Read(tokens, options_.prefix, nullptr));
    return LogLikelihood(hidden, tokens, context_count - 1);
  }

  // Of tokens[first_position + 1] and all behind it.
  absl::StatusOr<double> LogLikelihood(const at::Tensor& hidden, absl::Span<const int32_t> tokens,
                                       int64_t first_position) {
    SASQ_ASSIGN_OR_RETURN(const SequenceLoss loss,
                          loss_.Compute(hidden, tokens, first_position, options_.stop));
    return -loss.sum_nats;
  }

  const Model& model_;
  SiteExecutor& executor_;
  const TaskOptions& options_;
  NextTokenLoss loss_;
};

// Whether the right choice has the greatest score, the first of equals.
bool IsRight(absl::Span<const double> scores, size_t answer) {
  for (const double score : scores) {
    if (std::isnan(score)) return false;
  }
  return static_cast<size_t>(std::max_element(scores.begin(), scores.end()) - scores.begin()) ==
         answer;
}

}  // namespace

absl::StatusOr<TaskAnswers> EvaluateTask(const Model& model, SiteExecutor& executor,
                                         absl::Span<const TokenizedQuestion> questions,
                                         const TaskOptions& options) {
  if (questions.empty()) return absl::InvalidArgumentError("there are no questions to evaluate");
  const Stopwatch watch;
  ChoiceScorer scorer(model, executor, options);
  TaskAnswers result;
  int64_t right = 0, normalized_right = 0;
  for (const TokenizedQuestion& question : questions) {
    absl::StatusOr<std::vector<double>> scores =
        CatchTorchOr([&] { return scorer.Score(question); });
    SASQ_RETURN_IF_ERROR(scores.status());
    right += IsRight(*scores, question.answer);
    result.log_likelihoods.push_back(*scores);
    for (size_t i = 0; i < scores->size(); ++i) {
      (*scores)[i] /= static_cast<double>(question.choices[i].byte_count);
    }
    normalized_right += IsRight(*scores, question.answer);
    if (options.on_question) {
      options.on_question(static_cast<int64_t>(result.log_likelihoods.size()));
    }
  }
  const double count = static_cast<double>(questions.size());
  result.accuracy = static_cast<double>(right) / count;
  result.normalized_accuracy = static_cast<double>(normalized_right) / count;
  result.seconds = watch.Seconds();
  return result;
}

}  // namespace sasq
