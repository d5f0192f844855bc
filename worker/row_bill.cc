#include "worker/row_bill.h"

#include "common/resource_usage.h"

namespace sasq {

RowBill::RowBill(bool cuda) : cpu_seconds_at_start_(ProcessCpuSeconds()), energy_({.cuda = cuda}) {
  ResetPeakMemory();  // refused: the peak is that of the process, which is no less
}

double RowBill::cpu_seconds() const { return ProcessCpuSeconds() - cpu_seconds_at_start_; }

void RowBill::WriteTo(v1::RowCost& cost) {
  cost.set_wall_seconds(wall_seconds());
  cost.set_cpu_seconds(cpu_seconds());
  cost.set_peak_memory_bytes(PeakMemoryBytes());
  if (const std::optional<double> joules = energy_.Joules()) cost.set_joules(*joules);
}

}  // namespace sasq
