// An artifact of made-up numbers, for tests and for looking at the report page.
#ifndef SASQ_TESTS_QUANT_ARTIFACT_SAMPLE_H_
#define SASQ_TESTS_QUANT_ARTIFACT_SAMPLE_H_

#include "quant/artifact/report.h"
#include "quant/artifact/scale_pack.h"

namespace sasq {

// Scale of a site in SamplePack: (index in AllSites + 1) / 8, exact in float32.
ScalePack SamplePack(int layer_count);

// Rows with and without the first token in float, one of them collapsed; two trainings.
Report SampleReport();

}  // namespace sasq

#endif  // SASQ_TESTS_QUANT_ARTIFACT_SAMPLE_H_
