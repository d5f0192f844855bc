// static_mse: one activation scale per site, the clip of least squared error between activation and
// code over the calibration text (Banner et al., arXiv 1810.05723, section 3; there by a model of
// the distribution, here by search over the measured one). No hyper-parameters; the model is not
// changed.
#include <memory>
#include <optional>

#include "quant/methods/methods.h"

namespace sasq {
namespace {

class StaticMse final : public Method {
 public:
  std::optional<SitePrecision> precision() const override { return SitePrecision::kStatic; }
};

}  // namespace

std::unique_ptr<const Method> MakeStaticMse(const v1::Recipe&) {
  return std::make_unique<StaticMse>();
}

}  // namespace sasq
