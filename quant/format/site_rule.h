// How a site's activations are represented while a quantized model runs.
#ifndef SASQ_QUANT_FORMAT_SITE_RULE_H_
#define SASQ_QUANT_FORMAT_SITE_RULE_H_

#include <vector>

namespace sasq {

enum class SitePrecision {
  kStatic,   // integer codes, one scale for all tokens
  kDynamic,  // integer codes, one scale per token, absmax over the largest code
  kFloat,    // the site's linears stay as they are: float weights, float activations
  kClipped,  // float weights; activations clipped where kStatic would clip them, but not rounded:
             // the control that tells clipping from rounding
};

struct SiteRule {
  SitePrecision precision = SitePrecision::kStatic;
  float scale = 0;  // kStatic and kClipped: finite and above 0
};

inline constexpr int kMinActivationBits = 4;
inline constexpr int kMaxActivationBits = 8;

// Rules of a whole model.
struct QuantizationRules {
  std::vector<SiteRule> sites;  // in the order of Model::sites()
  // Codes of activations are -2^(bits - 1) .. 2^(bits - 1) - 1, dynamic ones without the smallest.
  int activation_bits = 8;
  // The first token of a sequence, and copies that follow it directly, keep float activations at
  // every site (against the same integer weights).
  bool leading_tokens_float = false;
};

// The largest code of a width: 127 of 8 bits.
inline constexpr int LargestCode(int bits) { return (1 << (bits - 1)) - 1; }

}  // namespace sasq

#endif  // SASQ_QUANT_FORMAT_SITE_RULE_H_
