// The methods. What each changes in the model, its source and its hyper-parameters stand at the
// head of its own file.
#ifndef SASQ_QUANT_METHODS_METHODS_H_
#define SASQ_QUANT_METHODS_METHODS_H_

#include <memory>

#include "absl/status/statusor.h"
#include "quant/methods/method.h"
#include "sasq/v1/job_spec.pb.h"

namespace sasq {

std::unique_ptr<const Method> MakeFp(const v1::Recipe& recipe);
std::unique_ptr<const Method> MakeFpClipped(const v1::Recipe& recipe);
std::unique_ptr<const Method> MakeRtnDynamic(const v1::Recipe& recipe);
std::unique_ptr<const Method> MakeStaticAbsmax(const v1::Recipe& recipe);
std::unique_ptr<const Method> MakeStaticPercentile(const v1::Recipe& recipe);
std::unique_ptr<const Method> MakeStaticMse(const v1::Recipe& recipe);
std::unique_ptr<const Method> MakeSmoothQuant(const v1::Recipe& recipe);
std::unique_ptr<const Method> MakeQuaRot(const v1::Recipe& recipe);
std::unique_ptr<const Method> MakeSpinQuant(const v1::Recipe& recipe);
std::unique_ptr<const Method> MakeLlmQat(const v1::Recipe& recipe);
std::unique_ptr<const Method> MakeSasq(const v1::Recipe& recipe);

// The method of a recipe. INVALID_ARGUMENT (INVALID_SPEC) if it is not known.
absl::StatusOr<std::unique_ptr<const Method>> MakeMethod(const v1::Recipe& recipe);

}  // namespace sasq

#endif  // SASQ_QUANT_METHODS_METHODS_H_
