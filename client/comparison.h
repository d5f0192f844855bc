// The comparison of methods, as people read it.
#ifndef SASQ_CLIENT_COMPARISON_H_
#define SASQ_CLIENT_COMPARISON_H_

#include <string>

#include "client/table.h"
#include "sasq/v1/job.pb.h"

namespace sasq {

// The perplexity of a row divided by that of the float row scored on the same tokens; 0 if that row
// is not there (yet).
double RatioToFloat(const v1::Job& job, const v1::ReportRow& row);

// Whether a row is that of the job's own recipe rather than of a baseline.
bool IsRecipeRow(const v1::Job& job, const v1::ReportRow& row);

// One row for each ReportRow, those scored on the same tokens together. Columns that no row has
// anything to say in are left out.
Table ComparisonTable(const v1::Job& job);

// A line for each row that is not what was asked for: its name and why.
std::string FailureLines(const v1::Job& job);

// `static_mse: perplexity 19.290, 1.128 x fp, 12.1s`, and why it is not what was asked for.
std::string DescribeRow(const v1::Job& job, const v1::ReportRow& row);

}  // namespace sasq

#endif  // SASQ_CLIENT_COMPARISON_H_
