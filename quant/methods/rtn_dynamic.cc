// rtn_dynamic: round to nearest with one activation scale per token, absmax / 127, computed while
// the model runs: the W8A8 per-token, per-channel baseline of LLM.int8() and ZeroQuant (Yao et al.,
// arXiv 2206.01861, section 4.1). No hyper-parameters; the model is not changed.
#include <memory>
#include <optional>

#include "quant/methods/methods.h"

namespace sasq {
namespace {

class RtnDynamic final : public Method {
 public:
  std::optional<SitePrecision> precision() const override { return SitePrecision::kDynamic; }
};

}  // namespace

std::unique_ptr<const Method> MakeRtnDynamic(const v1::Recipe&) {
  return std::make_unique<RtnDynamic>();
}

}  // namespace sasq
