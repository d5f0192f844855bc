#include "quant/export/folded_transforms.h"

#include <google/protobuf/util/json_util.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status_macros.h"
#include "sasq/v1/job_spec.pb.h"

namespace sasq {
namespace {

constexpr int kBits = 8;

absl::StatusOr<v1::JobSpec> ParseSpec(const std::string& json) {
  v1::JobSpec spec;
  // Unknown fields are refused: they may change what was folded.
  const auto status = google::protobuf::util::JsonStringToMessage(json, &spec);
  if (status.ok()) return spec;
  return absl::InvalidArgumentError(
      absl::StrCat("scale pack: this version does not understand its spec; use the sasq of the "
                   "version that made it or a newer one: ",
                   std::string(status.message())));
}

void AddMethodReasons(const v1::Recipe& recipe, std::vector<std::string>& reasons) {
  switch (recipe.method()) {
    case v1::METHOD_STATIC_ABSMAX:
    case v1::METHOD_STATIC_MSE:
    case v1::METHOD_STATIC_PERCENTILE:
    case v1::METHOD_SASQ:
    case v1::METHOD_QUAROT:
    case v1::METHOD_SMOOTHQUANT:
      break;
    case v1::METHOD_SPINQUANT:
      reasons.push_back("spinquant's learned rotations are not in the pack");
      break;
    case v1::METHOD_LLM_QAT:
      reasons.push_back("llm_qat's trained weights are not in the pack");
      break;
    default:
      reasons.push_back(absl::StrCat(v1::Method_Name(recipe.method()), " has no static scales"));
  }
}

bool IsSmoothed(const v1::Recipe& recipe) {
  return recipe.has_smoothing() || recipe.method() == v1::METHOD_SMOOTHQUANT;
}

std::vector<std::string> Reasons(const v1::Recipe& recipe, const ScalePack& pack) {
  std::vector<std::string> reasons;
  AddMethodReasons(recipe, reasons);
  if (IsSmoothed(recipe) && pack.smoothing_factors.empty()) {
    reasons.push_back(
        "the smoothing factors that were folded into the weights are not in the pack, which an "
        "older version wrote; run the job again");
  }
  const bool has_transform = recipe.method() == v1::METHOD_QUAROT ||
                             recipe.method() == v1::METHOD_SPINQUANT ||
                             recipe.method() == v1::METHOD_SASQ;
  if (has_transform && recipe.rotation() == v1::ROTATION_ONLINE) {
    reasons.push_back(
        "a Hadamard transform runs before down_proj with the model, which no engine does for this "
        "format; use the rotation `folded`");
  }
  if (recipe.first_token() == v1::FIRST_TOKEN_FLOAT) {
    reasons.push_back(
        "the first token of a sequence stays in floating point, which no engine does");
  }
  if (recipe.first_token() == v1::FIRST_TOKEN_PREFIX) {
    reasons.push_back(
        "every sequence follows a prefix whose keys and values were computed in floating point, "
        "which no engine does");
  }
  if (recipe.activation_bits() != kBits || recipe.weight_bits() != kBits) {
    reasons.push_back(absl::StrCat("activations have ", recipe.activation_bits(),
                                   " bits and weights ", recipe.weight_bits(),
                                   ", of which engines know 8 and 8"));
  }
  return reasons;
}

// That the pack has the factors that the recipe folded in, and no others.
absl::Status CheckSmoothing(const v1::Recipe& recipe, const ScalePack& pack) {
  for (const SiteId& site : AllSites(pack.layer_count)) {
    const bool is_smoothed = IsSmoothed(recipe) && site.kind != SiteKind::kOIn &&
                             (site.kind != SiteKind::kDownIn || recipe.smoothing().include_down());
    if (pack.smoothing_factors.contains(site) == is_smoothed) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("scale pack: ", SiteName(site), is_smoothed ? " has no" : " has",
                     " smoothing factors, which its recipe contradicts"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<FoldedTransforms> TransformsOf(const ScalePack& pack) {
  SASQ_ASSIGN_OR_RETURN(const v1::JobSpec spec, ParseSpec(pack.spec_json));
  const v1::Recipe& recipe = spec.recipe();
  const std::vector<std::string> reasons = Reasons(recipe, pack);
  if (!reasons.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the row ", recipe.name(), " cannot be exported exactly: ", absl::StrJoin(reasons, "; ")));
  }
  SASQ_RETURN_IF_ERROR(CheckSmoothing(recipe, pack));
  FoldedTransforms transforms;
  if (recipe.rotation() == v1::ROTATION_FOLDED) {
    transforms.rotation_seed = static_cast<uint64_t>(spec.seed());
  }
  return transforms;
}

}  // namespace sasq
