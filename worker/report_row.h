// A measured row as the report has it.
#ifndef SASQ_WORKER_REPORT_ROW_H_
#define SASQ_WORKER_REPORT_ROW_H_

#include "quant/artifact/report.h"
#include "sasq/worker/v1/checkpoint.pb.h"
#include "worker/job_inputs.h"

namespace sasq {

ComparisonRow MakeReportRow(const worker::v1::MeasuredRow& measured, const JobInputs& inputs);

}  // namespace sasq

#endif  // SASQ_WORKER_REPORT_ROW_H_
