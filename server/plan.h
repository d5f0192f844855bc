// What a job would cost, from the model's configuration alone.
#ifndef SASQ_SERVER_PLAN_H_
#define SASQ_SERVER_PLAN_H_

#include "absl/status/statusor.h"
#include "sasq/v1/job_spec.pb.h"
#include "sasq/v1/quantization_service.pb.h"
#include "server/spec_sources.h"

namespace sasq {

// The plan of a completed spec; model_readable is false where `sources` has no config.json.
// `flops_per_second` is the speed of the worker that the duration is estimated for; 0: no worker.
// INVALID_ARGUMENT (INVALID_SPEC) if the architecture is not known, config.json is wrong, a window
// is longer than the model's context, or a prefix or a site is not the model's.
//
// Floating point operations are those of quant/format/flop_count.h over: calibration once, if a
// recipe has static scales or smoothing; the training steps of every recipe that trains; evaluation
// of every row on every text. Where all windows of a text are wanted, its tokens are estimated from
// its size at 4 bytes a token.
//
// Memory, bytes, of the stage that needs most:
//   weights     4 a parameter (float32) + 1 a linear's weight (INT8)
//   training    4 T (L (8 hidden + 4 intermediate + 2 A) + 3 vocabulary): what backward keeps, and
//               logits with their gradient
//   evaluation  4 T (8 hidden + 4 intermediate + vocabulary)
absl::StatusOr<v1::Plan> MakePlan(const v1::JobSpec& spec, double flops_per_second,
                                  const SpecSources& sources = SpecSources());

}  // namespace sasq

#endif  // SASQ_SERVER_PLAN_H_
