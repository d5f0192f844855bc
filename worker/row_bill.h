// What one row costs: time, energy and memory, from construction on.
#ifndef SASQ_WORKER_ROW_BILL_H_
#define SASQ_WORKER_ROW_BILL_H_

#include <cstdint>
#include <optional>

#include "common/clock.h"
#include "common/energy.h"
#include "sasq/v1/job.pb.h"

namespace sasq {

// One thread.
class RowBill {
 public:
  // `cuda`: the work is done by a CUDA device.
  explicit RowBill(bool cuda);

  // Reads the energy counters, which want to be read every half minute.
  void Touch() { energy_.Joules(); }

  double wall_seconds() const { return stopwatch_.Seconds(); }
  double cpu_seconds() const;

  // Writes time, energy and memory.
  void WriteTo(v1::RowCost& cost);

 private:
  const Stopwatch stopwatch_;
  const double cpu_seconds_at_start_;
  EnergyMeter energy_;
};

}  // namespace sasq

#endif  // SASQ_WORKER_ROW_BILL_H_
