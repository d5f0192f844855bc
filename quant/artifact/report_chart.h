// The rows beside float as a dot plot: HTML whose strips stretch while their text does not.
#ifndef SASQ_QUANT_ARTIFACT_REPORT_CHART_H_
#define SASQ_QUANT_ARTIFACT_REPORT_CHART_H_

#include <string>

#include "quant/artifact/report_analysis.h"

namespace sasq {

// Each row's perplexity over its float row's with the 95% interval of that, on an axis that is
// linear near 0 and logarithmic away from it. Unusable rows stand beyond its end. Empty if no row
// has a float row beside it.
std::string IncreaseChart(const ReportAnalysis& analysis);

}  // namespace sasq

#endif  // SASQ_QUANT_ARTIFACT_REPORT_CHART_H_
