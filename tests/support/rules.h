// Rules of models whose sites are all alike.
#ifndef SASQ_TESTS_SUPPORT_RULES_H_
#define SASQ_TESTS_SUPPORT_RULES_H_

#include "absl/types/span.h"
#include "quant/format/site_rule.h"

namespace sasq::testing {

// Static sites with these scales.
inline QuantizationRules StaticRules(absl::Span<const float> scales,
                                     bool leading_tokens_float = false) {
  QuantizationRules rules;
  for (const float scale : scales) rules.sites.push_back({SitePrecision::kStatic, scale});
  rules.leading_tokens_float = leading_tokens_float;
  return rules;
}

// `site_count` dynamic sites.
inline QuantizationRules DynamicRules(size_t site_count, bool leading_tokens_float = false) {
  QuantizationRules rules;
  rules.sites.assign(site_count, {SitePrecision::kDynamic, 0});
  rules.leading_tokens_float = leading_tokens_float;
  return rules;
}

}  // namespace sasq::testing

#endif  // SASQ_TESTS_SUPPORT_RULES_H_
