// Tasks: questions with choices, answered by how likely the model finds each choice (in the spirit
// of EleutherAI's lm-evaluation-harness).
#ifndef SASQ_QUANT_EVAL_TASK_H_
#define SASQ_QUANT_EVAL_TASK_H_

#include <cstdint>
#include <functional>
#include <stop_token>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "quant/model/model.h"
#include "quant/model/site_executor.h"
#include "quant/text/question.h"

namespace sasq {

struct KvCache;  // quant/model/kv_cache.h

struct TaskOptions {
  // Keys and values that every context follows; null without.
  const KvCache* prefix = nullptr;
  std::stop_token stop = {};
  // Called after each question with the number of questions done. May be null.
  std::function<void(int64_t questions_done)> on_question = nullptr;
};

struct TaskAnswers {
  // Share of questions whose right choice has the greatest log-likelihood, the first of equals. A
  // question with a log-likelihood that is not a number is answered wrongly.
  double accuracy = 0;             // 0..1
  double normalized_accuracy = 0;  // 0..1; log-likelihoods divided by the choices' bytes
  // By question and choice: sum over the choice's tokens, in nats.
  std::vector<std::vector<double>> log_likelihoods;
  double seconds = 0;  // wall time
};

// Measures `model` as `executor` computes it. A context's keys and values are computed once.
// INVALID_ARGUMENT if there is no question or one is too long with the prefix; CANCELLED when the
// stop token asks for it.
absl::StatusOr<TaskAnswers> EvaluateTask(const Model& model, SiteExecutor& executor,
                                         absl::Span<const TokenizedQuestion> questions,
                                         const TaskOptions& options);

}  // namespace sasq

#endif  // SASQ_QUANT_EVAL_TASK_H_
