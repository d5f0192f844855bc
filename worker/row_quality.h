// What metrics tell of a measured row.
#ifndef SASQ_WORKER_ROW_QUALITY_H_
#define SASQ_WORKER_ROW_QUALITY_H_

#include <string>

#include "absl/strings/string_view.h"
#include "google/protobuf/repeated_ptr_field.h"
#include "quant/format/model_config.h"
#include "sasq/v1/job_spec.pb.h"
#include "sasq/worker/v1/checkpoint.pb.h"
#include "worker/task_runner.h"

namespace sasq {

// `measured`: the last of `rows`, which were measured so far for `spec`.
RowQuality QualityOf(const worker::v1::MeasuredRow& measured,
                     const google::protobuf::RepeatedPtrField<worker::v1::MeasuredRow>& rows,
                     const v1::JobSpec& spec, Architecture architecture);

// The well-known text that a source's URI names, or `other`: one of a fixed list, so that users
// cannot make labels without end.
std::string DatasetLabel(absl::string_view uri);

}  // namespace sasq

#endif  // SASQ_WORKER_ROW_QUALITY_H_
