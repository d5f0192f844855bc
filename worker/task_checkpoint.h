// Reading the checkpoint of an earlier attempt. Knows no LibTorch.
#ifndef SASQ_WORKER_TASK_CHECKPOINT_H_
#define SASQ_WORKER_TASK_CHECKPOINT_H_

#include <cstddef>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "sasq/worker/v1/checkpoint.pb.h"

namespace sasq {

// The checkpoint in `bytes`, if an attempt with `inputs` on a model of `site_count` sites can go on
// from it. It comes from outside: whatever the worker looks up by position is there, and the
// trainer's state is whole. INVALID_ARGUMENT that says in what it differs, such as `code_version`.
absl::StatusOr<worker::v1::TaskCheckpoint> ReadTaskCheckpoint(absl::string_view bytes,
                                                              const worker::v1::TaskInputs& inputs,
                                                              size_t site_count);

}  // namespace sasq

#endif  // SASQ_WORKER_TASK_CHECKPOINT_H_
