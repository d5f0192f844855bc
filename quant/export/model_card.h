// README.md of an export.
#ifndef SASQ_QUANT_EXPORT_MODEL_CARD_H_
#define SASQ_QUANT_EXPORT_MODEL_CARD_H_

#include <string>

#include "absl/strings/string_view.h"
#include "quant/artifact/scale_pack.h"

namespace sasq {

// Whether `report_json` is the report of the job that made the pack: the same spec, the same base
// weights. False for what is not a report.
bool IsReportOf(absl::string_view report_json, const ScalePack& pack);

// The model card, in Markdown: the method, the numbers of `report_json` (empty: it says that there
// are none), which sites are not static, where it comes from and how to load it. The same inputs
// give the same bytes: nothing of the time or the machine of the export is in it.
std::string ModelCard(const ScalePack& pack, absl::string_view report_json);

}  // namespace sasq

#endif  // SASQ_QUANT_EXPORT_MODEL_CARD_H_
