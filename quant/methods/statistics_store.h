// Calibration statistics of the models of one job, each collected once.
#ifndef SASQ_QUANT_METHODS_STATISTICS_STORE_H_
#define SASQ_QUANT_METHODS_STATISTICS_STORE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "quant/methods/activation_statistics.h"
#include "quant/model/model.h"

namespace sasq {

// One thread.
class StatisticsStore {
 public:
  // `on_window`: as of CalibrationOptions; may be null.
  StatisticsStore(std::vector<absl::Span<const int32_t>> windows,
                  std::function<void(int64_t windows_done)> on_window)
      : windows_(std::move(windows)), on_window_(std::move(on_window)) {}

  absl::Span<const absl::Span<const int32_t>> windows() const { return windows_; }

  // What collecting took so far.
  double wall_seconds() const { return wall_seconds_; }
  double cpu_seconds() const { return cpu_seconds_; }

  // Statistics of `model`, which `key` names, after a prefix of `prefix_tokens`, whose keys and
  // values are `prefix` (null without). Errors as of CollectActivationStatistics.
  absl::StatusOr<std::shared_ptr<const ActivationStatistics>> Get(
      const std::string& key, const std::shared_ptr<const Model>& model,
      absl::Span<const int32_t> prefix_tokens, const KvCache* prefix, std::stop_token stop);

 private:
  const std::vector<absl::Span<const int32_t>> windows_;
  const std::function<void(int64_t windows_done)> on_window_;
  std::map<std::string, std::shared_ptr<const ActivationStatistics>> statistics_;
  double wall_seconds_ = 0;
  double cpu_seconds_ = 0;
};

}  // namespace sasq

#endif  // SASQ_QUANT_METHODS_STATISTICS_STORE_H_
