// A tiny model with a scale pack, for tests of exports.
#ifndef SASQ_TESTS_QUANT_EXPORT_EXPORT_INPUTS_H_
#define SASQ_TESTS_QUANT_EXPORT_EXPORT_INPUTS_H_

#include <string>

#include "absl/strings/string_view.h"
#include "quant/artifact/scale_pack.h"

namespace sasq::testing {

// A spec whose recipe is `method` with 8 bits and, in JSON, `more` fields.
std::string SpecOf(absl::string_view method, absl::string_view more = "",
                   absl::string_view seed = "0");

// A pack of the weights in `model_folder` with a scale of its own for each site, all static.
ScalePack PackFor(const std::string& model_folder, std::string spec_json);

// Takes the scale of a site away.
void MakeDynamic(ScalePack& pack, SiteId site);
void MakeFloat(ScalePack& pack, SiteId site);

}  // namespace sasq::testing

#endif  // SASQ_TESTS_QUANT_EXPORT_EXPORT_INPUTS_H_
