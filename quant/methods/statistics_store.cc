#include "quant/methods/statistics_store.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status_macros.h"

namespace sasq {

absl::StatusOr<std::shared_ptr<const ActivationStatistics>> StatisticsStore::Get(
    const std::string& key, const std::shared_ptr<const Model>& model,
    absl::Span<const int32_t> prefix_tokens, const KvCache* prefix, std::stop_token stop) {
  std::shared_ptr<const ActivationStatistics>& entry =
      statistics_[absl::StrCat(key, " after ", absl::StrJoin(prefix_tokens, " "))];
  if (entry == nullptr) {
    SASQ_ASSIGN_OR_RETURN(
        ActivationStatistics collected,
        CollectActivationStatistics(
            model, windows_, {.prefix = prefix, .stop = std::move(stop), .on_window = on_window_}));
    wall_seconds_ += collected.wall_seconds;
    cpu_seconds_ += collected.cpu_seconds;
    entry = std::make_shared<const ActivationStatistics>(std::move(collected));
  }
  return entry;
}

}  // namespace sasq
