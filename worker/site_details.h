// What the report says of the sites of a row.
#ifndef SASQ_WORKER_SITE_DETAILS_H_
#define SASQ_WORKER_SITE_DETAILS_H_

#include "quant/methods/recipe.h"
#include "sasq/worker/v1/checkpoint.pb.h"

namespace sasq {

// Adds every site of `prepared` to `measured`: rule, start, error expected on the calibration text,
// share of the gradient, magnitudes and outliers. Nothing where nothing is quantized.
void AddSiteDetails(const PreparedRecipe& prepared, worker::v1::MeasuredRow& measured);

// Adds the smoothing factors of `prepared` to the sites that AddSiteDetails added.
void AddSmoothingFactors(const PreparedRecipe& prepared, worker::v1::MeasuredRow& measured);

// The rules of sites as a checkpoint holds them, and back.
void StoreRules(const QuantizationRules& rules,
                google::protobuf::RepeatedPtrField<worker::v1::MeasuredSite>& sites);
std::vector<SiteRule> LoadRules(
    const google::protobuf::RepeatedPtrField<worker::v1::MeasuredSite>& sites);

}  // namespace sasq

#endif  // SASQ_WORKER_SITE_DETAILS_H_
