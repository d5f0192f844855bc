#include "quant/methods/method.h"

#include "absl/strings/str_cat.h"
#include "common/rpc_status.h"
#include "quant/methods/methods.h"

namespace sasq {

absl::StatusOr<PreparedModel> Method::PrepareModel(const MethodInputs& inputs) const {
  PreparedModel prepared;
  prepared.model = inputs.model;
  return prepared;
}

absl::StatusOr<std::unique_ptr<const Method>> MakeMethod(const v1::Recipe& recipe) {
  switch (recipe.method()) {
    case v1::METHOD_FP:
      return MakeFp(recipe);
    case v1::METHOD_FP_CLIPPED:
      return MakeFpClipped(recipe);
    case v1::METHOD_RTN_DYNAMIC:
      return MakeRtnDynamic(recipe);
    case v1::METHOD_STATIC_ABSMAX:
      return MakeStaticAbsmax(recipe);
    case v1::METHOD_STATIC_PERCENTILE:
      return MakeStaticPercentile(recipe);
    case v1::METHOD_STATIC_MSE:
      return MakeStaticMse(recipe);
    case v1::METHOD_SMOOTHQUANT:
      return MakeSmoothQuant(recipe);
    case v1::METHOD_QUAROT:
      return MakeQuaRot(recipe);
    case v1::METHOD_SPINQUANT:
      return MakeSpinQuant(recipe);
    case v1::METHOD_LLM_QAT:
      return MakeLlmQat(recipe);
    case v1::METHOD_SASQ:
      return MakeSasq(recipe);
    default:
      return WithReason(
          absl::InvalidArgumentError(absl::StrCat(
              "recipe.method is ", static_cast<int>(recipe.method()), ", which is not known")),
          "INVALID_SPEC");
  }
}

}  // namespace sasq
