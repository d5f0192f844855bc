#include "worker/engine_metrics.h"

#include <string>

#include "common/file.h"
#include "quant/ops/kernel_time.h"

namespace sasq {
namespace {

// A counter that follows a sum which is kept elsewhere and never falls.
void Follow(double sum, MetricRegistry::Counter& counter) { counter.Add(sum - counter.value()); }

void SetKernelSeconds(MetricRegistry& registry) {
  for (const auto& [kernel, seconds] : ops::KernelSeconds()) {
    Follow(seconds, registry.GetCounter("sasq_worker_kernel_seconds_total",
                                        "Wall time in INT8 kernels on the CPU, by kernel.",
                                        {{"kernel", std::string(kernel)}}));
  }
}

void SetCacheUse(const SourceFetcher& sources, MetricRegistry& registry) {
  const SourceFetcher::CacheUse use = sources.cache_use();
  const std::string help = "Remote files that jobs used: in the cache (hit) or fetched (miss).";
  Follow(static_cast<double>(use.hit_count),
         registry.GetCounter("sasq_worker_cache_requests_total", help, {{"result", "hit"}}));
  Follow(static_cast<double>(use.miss_count),
         registry.GetCounter("sasq_worker_cache_requests_total", help, {{"result", "miss"}}));
  Follow(static_cast<double>(use.fetched_bytes),
         registry.GetCounter("sasq_worker_fetched_bytes_total",
                             "Bytes of models and texts that were fetched."));
}

void SetCacheDisk(const SourceFetcher& sources, MetricRegistry& registry) {
  const absl::StatusOr<DiskSpace> space = DiskSpaceOf(sources.cache_folder());
  if (!space.ok()) return;  // the first job that fetches makes the folder
  registry.GetGauge("sasq_worker_cache_disk_size_bytes", "Size of the file system of the cache.")
      .Set(static_cast<double>(space->size_bytes));
  registry
      .GetGauge("sasq_worker_cache_disk_free_bytes", "Free space in the file system of the cache.")
      .Set(static_cast<double>(space->free_bytes));
}

}  // namespace

void AddEngineMetrics(const SourceFetcher& sources, MetricRegistry& registry) {
  registry.BeforeScrape([&sources, &registry] {
    SetKernelSeconds(registry);
    SetCacheUse(sources, registry);
    SetCacheDisk(sources, registry);
  });
}

}  // namespace sasq
