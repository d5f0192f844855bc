// static_percentile: one activation scale per site that clips the largest magnitudes of
// calibration: Wu et al., arXiv 2004.09602, section 5.2, who publish 99.9, 99.99, 99.999
// and 99.9999; the default is 99.99. The model is not changed.
#include <memory>
#include <optional>

#include "quant/methods/methods.h"

namespace sasq {
namespace {

class StaticPercentile final : public Method {
 public:
  std::optional<SitePrecision> precision() const override { return SitePrecision::kStatic; }
};

}  // namespace

std::unique_ptr<const Method> MakeStaticPercentile(const v1::Recipe&) {
  return std::make_unique<StaticPercentile>();
}

}  // namespace sasq
