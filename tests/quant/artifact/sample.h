// An artifact of made-up numbers, for tests and for looking at the report page.
#ifndef SASQ_TESTS_QUANT_ARTIFACT_SAMPLE_H_
#define SASQ_TESTS_QUANT_ARTIFACT_SAMPLE_H_

#include <string>
#include <vector>

#include "quant/artifact/artifact.h"
#include "quant/artifact/report.h"
#include "quant/artifact/scale_pack.h"

namespace sasq {

// Scale of a site in SamplePack: (index in AllSites + 1) / 8, exact in float32.
ScalePack SamplePack(int layer_count);

// A row whose windows lose log(`ratio`) nats more than those of the float row of its group, give or
// take a repeatable `noise` per window. 12 windows; 6 of each other text, whose ratio is
// ratio^`elsewhere`.
ComparisonRow SampleRow(std::string name, std::string method, std::string first_token, double ratio,
                        double noise = 0.004, double elsewhere = 1.1);

// Gives a row sites, a curve and figures as of trained scales.
void TrainSampleRow(int layer_count, int step_count, ComparisonRow& row);

// A comparison of every method with all three values of first_token: rows that are good, collapsed,
// diverged and not measured, hostile names of model and text.
Report SampleComparison();

// The same rows in a job that chose one of them.
Report SampleReport();

// The files of a job's artifact whose pack and report are about the same weights and spec.
std::vector<NamedFile> SampleArtifact();

}  // namespace sasq

#endif  // SASQ_TESTS_QUANT_ARTIFACT_SAMPLE_H_
