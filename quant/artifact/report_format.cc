#include "quant/artifact/report_format.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

namespace sasq {

std::string FormatPerplexity(double perplexity) {
  if (std::isnan(perplexity)) return "not a number";
  if (std::isinf(perplexity)) return "beyond range";
  if (perplexity >= 1e5) return absl::StrFormat("%.2g", perplexity);
  return absl::StrFormat("%.*f", perplexity < 100 ? 3 : 0, perplexity);
}

std::string FormatCount(int64_t count) {
  const std::string digits = absl::StrCat(count);
  std::string text;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0 && digits[i - 1] != '-') text += "\u202f";
    text += digits[i];
  }
  return text;
}

std::string FormatSeconds(double seconds) {
  if (seconds < 10) return absl::StrFormat("%.2f s", seconds);
  if (seconds < 120) return absl::StrFormat("%.1f s", seconds);
  if (seconds < 7200) return absl::StrFormat("%.1f min", seconds / 60);
  return absl::StrFormat("%.1f h", seconds / 3600);
}

std::string FormatBytes(int64_t bytes) {
  if (bytes < 1024) return absl::StrCat(bytes, " B");
  constexpr std::array<const char*, 4> kUnits = {"KiB", "MiB", "GiB", "TiB"};
  double value = bytes / 1024.0;
  size_t unit = 0;
  for (; value >= 1024 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
  return absl::StrFormat("%.*f %s", unit < 2 ? 1 : 2, value, kUnits[unit]);
}

std::string FormatFlops(double flops) {
  constexpr std::array<const char*, 5> kUnits = {"", "GFLOP", "TFLOP", "PFLOP", "EFLOP"};
  const int unit = std::clamp(static_cast<int>(std::log10(std::max(flops, 1.0)) / 3) - 2, 1, 4);
  return absl::StrFormat("%.3g %s", flops / std::pow(10, 6 + 3 * unit), kUnits[unit]);
}

std::string FormatPValue(double p_value) {
  if (p_value < 0.001) return "< 0.001";
  return absl::StrFormat("%.*f", p_value < 0.1 ? 3 : 2, p_value);
}

std::string FormatShare(double share) {
  if (share > 0 && share < 0.001) return absl::StrFormat("%.1g%%", 100 * share);
  return absl::StrFormat("%.*f%%", share > 0 && share < 0.1 ? 2 : 1, 100 * share);
}

std::string FormatIncrease(double share) {
  if (!std::isfinite(share)) return "beyond range";
  if (share >= 9) {
    return share < 1e5 ? absl::StrFormat("%.0f times", share + 1)
                       : absl::StrFormat("%.0e times", share + 1);
  }
  const double size = std::abs(share);
  const int decimals = size < 0.1 ? 2 : size < 1 ? 1 : 0;
  std::string digits = absl::StrFormat("%.*f%%", decimals, 100 * size);
  if (digits == "0.00%") return digits;
  return absl::StrCat(share < 0 ? "\u2212" : "+", digits);
}

std::string FormatIncreases(double low, double high) {
  return absl::StrCat(FormatIncrease(low), " to ", FormatIncrease(high));
}

std::string Counted(int64_t count, absl::string_view noun) {
  return absl::StrCat(FormatCount(count), " ", noun, count == 1 ? "" : "s");
}

std::string MethodLabel(absl::string_view method) {
  static constexpr std::array<std::pair<absl::string_view, absl::string_view>, 11> kLabels = {
      {{"fp", "the unquantized model"},
       {"fp_clipped", "float with learned clips, nothing rounded"},
       {"rtn_dynamic", "dynamic scale per token"},
       {"static_absmax", "static scales from absmax"},
       {"static_percentile", "static scales from a percentile"},
       {"static_mse", "static scales of least squared error"},
       {"smoothquant", "SmoothQuant"},
       {"quarot", "QuaRot, Hadamard rotations"},
       {"spinquant", "SpinQuant, learned rotations"},
       {"llm_qat", "LLM-QAT, trained weights"},
       {"sasq", "SASQ, trained static scales"}}};
  for (const auto& [name, label] : kLabels) {
    if (name == method) return std::string(label);
  }
  return Code(method);
}

std::string Code(absl::string_view text) {
  std::string code = "`";
  for (char c : text) {
    const bool breaks = c == '`' || absl::ascii_iscntrl(static_cast<unsigned char>(c));
    code += breaks ? ' ' : c;
  }
  return absl::StrCat(code, code.size() == 1 ? " " : "", "`");
}

}  // namespace sasq
