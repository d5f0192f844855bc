// The bytes of a training checkpoint.
//
// Little-endian: the magic "SASQTRN2"; then the fields of TrainingState in order, a string or
// vector as its length (u64) and its elements; last 32 hexadecimal digits, the first half of the
// SHA-256 of all before them.
#ifndef SASQ_QUANT_TRAIN_TRAINING_CHECKPOINT_H_
#define SASQ_QUANT_TRAIN_TRAINING_CHECKPOINT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "quant/train/adam.h"
#include "quant/train/scale_trainer.h"

namespace sasq {

// Everything that a trainer's next step depends on, beside its inputs.
struct TrainingState {
  std::string fingerprint;
  std::vector<double> theta;
  AdamMoments moments;
  std::vector<double> gradient_squares;  // by site, of d loss / d theta, summed over the steps
  std::vector<double> previous_theta;    // before the last update
  std::vector<TrainingStep> history;     // one entry for each step done
};

std::string SerializeTrainingState(const TrainingState& state);

// INVALID_ARGUMENT if the bytes are not what SerializeTrainingState gives.
absl::StatusOr<TrainingState> ParseTrainingState(absl::string_view bytes);

}  // namespace sasq

#endif  // SASQ_QUANT_TRAIN_TRAINING_CHECKPOINT_H_
