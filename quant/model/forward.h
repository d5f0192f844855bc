// The forward pass over one sequence.
#ifndef SASQ_QUANT_MODEL_FORWARD_H_
#define SASQ_QUANT_MODEL_FORWARD_H_

#include <cstdint>
#include <stop_token>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "quant/model/model.h"
#include "quant/model/site_executor.h"

namespace sasq {

// Hidden states after the final norm, float32 [tokens, hidden_size]. INVALID_ARGUMENT if there are
// no tokens, more than Model::max_tokens(), or one outside the vocabulary; CANCELLED, within one
// site's work, when `stop` is asked for.
absl::StatusOr<at::Tensor> Forward(const Model& model, absl::Span<const int32_t> tokens,
                                   SiteExecutor& executor, std::stop_token stop = {});

}  // namespace sasq

#endif  // SASQ_QUANT_MODEL_FORWARD_H_
