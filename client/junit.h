// Quality gates as JUnit XML, which CI systems show as tests.
#ifndef SASQ_CLIENT_JUNIT_H_
#define SASQ_CLIENT_JUNIT_H_

#include <string>

#include "absl/types/span.h"
#include "sasq/v1/job.pb.h"

namespace sasq {

// One test suite with a test for each gate, which fails where the gate was not passed. `row`: of
// `job`, that the gates are about.
std::string JunitXml(const v1::Job& job, const std::string& row,
                     absl::Span<const v1::GateResult> results);

}  // namespace sasq

#endif  // SASQ_CLIENT_JUNIT_H_
