// Figures as people read them: plain UTF-8, for the page and for Markdown.
#ifndef SASQ_QUANT_ARTIFACT_REPORT_FORMAT_H_
#define SASQ_QUANT_ARTIFACT_REPORT_FORMAT_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace sasq {

// What stands in a table where there is no figure.
inline constexpr char kNoFigure[] = "\u2014";

std::string FormatPerplexity(double perplexity);  // 17.204; "beyond range" if infinite
std::string FormatCount(int64_t count);           // 1234567 as "1 234 567", narrow no-break spaces
std::string FormatSeconds(double seconds);        // "3.10 s", "4.2 min", "1.5 h"
std::string FormatBytes(int64_t bytes);           // "480 B", "1.5 KiB", "12.0 MiB", "2.10 GiB"
std::string FormatFlops(double flops);            // "31 TFLOP"
std::string FormatPValue(double p_value);         // "0.004", "< 0.001"
std::string FormatShare(double share);            // 0.973 as "97.3%"

// How much greater a figure is than its reference: 0.0312 as "+3.12%", 12 as "13 times".
std::string FormatIncrease(double share);
// The same for ends of an interval: "-0.20% to +0.31%".
std::string FormatIncreases(double low, double high);

// "1 window", "3 windows": `noun` is in the singular.
std::string Counted(int64_t count, absl::string_view noun);

// A method's name for people; unknown ones as they are.
std::string MethodLabel(absl::string_view method);

// Sentences and cells of a report are text with two marks, read by the page and by Markdown:
// `code` and **strong**. Text from outside stands in code only.
std::string Code(absl::string_view text);

}  // namespace sasq

#endif  // SASQ_QUANT_ARTIFACT_REPORT_FORMAT_H_
