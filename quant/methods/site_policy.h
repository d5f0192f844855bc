// Which sites of a static model are not static: named by the user, or found by measurement.
#ifndef SASQ_QUANT_METHODS_SITE_POLICY_H_
#define SASQ_QUANT_METHODS_SITE_POLICY_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "quant/format/site_rule.h"
#include "quant/methods/activation_statistics.h"
#include "quant/model/quantized_weights.h"
#include "sasq/v1/job_spec.pb.h"

namespace sasq {

struct KvCache;  // quant/model/kv_cache.h

// Applies the sites that `policy` names. INVALID_ARGUMENT (INVALID_SPEC) for a pattern that matches
// no site.
absl::Status ApplyNamedSites(const v1::SitePolicy& policy, const Model& model,
                             QuantizationRules& rules);

// The share of the linears' arithmetic at sites of one precision, 0..1.
double FlopShare(const Model& model, const QuantizationRules& rules, SitePrecision precision);

// What the search for sites that are not static works on.
struct SiteSearch {
  const ActivationStatistics* statistics = nullptr;
  absl::Span<const absl::Span<const int32_t>> windows;  // the loss is measured on the first two
  const KvCache* prefix = nullptr;
  double max_float_flops = 0;
  double max_dynamic_flops = 0;
  std::stop_token stop;
};

// Leaves sites in float, and then gives sites one scale per token, while their share of the
// arithmetic stays within the two budgets; those first that cost the model most for their
// arithmetic. The cost of a site is measured: the loss of the float model with that site alone
// quantized, less the loss of the float model. Tried are the inputs of down_proj and some others.
// Returns each site's cost in nats per token; none where it was not measured.
absl::StatusOr<std::vector<std::optional<double>>> ApplyBudgets(
    const std::shared_ptr<const QuantizedWeights>& weights, const SiteSearch& search,
    QuantizationRules& rules);

}  // namespace sasq

#endif  // SASQ_QUANT_METHODS_SITE_POLICY_H_
