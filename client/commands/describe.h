// Specs and jobs as `key  value` lines.
#ifndef SASQ_CLIENT_COMMANDS_DESCRIBE_H_
#define SASQ_CLIENT_COMMANDS_DESCRIBE_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "client/table.h"
#include "sasq/v1/job.pb.h"

namespace sasq {

using KeyValues = std::vector<std::pair<std::string, TableCell>>;

// What was asked for. Fields that are not set are left out.
KeyValues DescribeSpec(const v1::JobSpec& spec);

// Two parts of that: what a job reads; how, how much and what else it measures.
KeyValues DescribeInputs(const v1::JobSpec& spec);
KeyValues DescribeMeasures(const v1::JobSpec& spec);

// What a job measures: its recipe and the baselines, a row each.
Table RecipeTable(const v1::JobSpec& spec);

// Where the job stands, followed by its spec.
KeyValues DescribeJob(const v1::Job& job, absl::Time now);

}  // namespace sasq

#endif  // SASQ_CLIENT_COMMANDS_DESCRIBE_H_
