// fp: the unquantized model in float32, the reference of every other row. Weights are used as they
// are stored; nothing is changed, calibrated or trained.
#include <memory>
#include <optional>

#include "quant/methods/methods.h"

namespace sasq {
namespace {

class Fp final : public Method {
 public:
  std::optional<SitePrecision> precision() const override { return std::nullopt; }
};

}  // namespace

std::unique_ptr<const Method> MakeFp(const v1::Recipe&) { return std::make_unique<Fp>(); }

}  // namespace sasq
