// static_absmax: one activation scale per site, absmax / 127: the mean over calibration windows of
// the window's absmax (the start of SASQ, arXiv 2512.14481), or with SCALE_RULE_ABSMAX_MAX the
// largest of all windows (TensorRT's and llm-compressor's min-max observer). The model is not
// changed.
#include <memory>
#include <optional>

#include "quant/methods/methods.h"

namespace sasq {
namespace {

class StaticAbsmax final : public Method {
 public:
  std::optional<SitePrecision> precision() const override { return SitePrecision::kStatic; }
};

}  // namespace

std::unique_ptr<const Method> MakeStaticAbsmax(const v1::Recipe&) {
  return std::make_unique<StaticAbsmax>();
}

}  // namespace sasq
