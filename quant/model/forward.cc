#include "quant/model/forward.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>

#include "common/status_macros.h"
#include "quant/model/decoder.h"
#include "quant/model/torch_guard.h"

namespace sasq {

absl::StatusOr<at::Tensor> Forward(const Model& model, absl::Span<const int32_t> tokens,
                                   SiteExecutor& executor, std::stop_token stop) {
  return CatchTorchOr([&]() -> absl::StatusOr<at::Tensor> {
    const at::NoGradGuard no_grad;
    const Decoder decoder(model, static_cast<int64_t>(tokens.size()));
    SASQ_ASSIGN_OR_RETURN(at::Tensor hidden, decoder.Embed(tokens));
    for (int layer = 0; layer < model.config().layer_count; ++layer) {
      SASQ_ASSIGN_OR_RETURN(hidden, decoder.RunLayer(layer, hidden, executor, stop));
    }
    return decoder.FinalNorm(hidden);
  });
}

}  // namespace sasq
