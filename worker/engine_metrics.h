// Metrics that are read from the engine when they are asked for.
#ifndef SASQ_WORKER_ENGINE_METRICS_H_
#define SASQ_WORKER_ENGINE_METRICS_H_

#include "common/metrics.h"
#include "quant/source/source_fetcher.h"

namespace sasq {

// Adds seconds in kernels, use of the cache and free space of its disk. Call before
// `registry.Serve`; `sources` outlives the registry.
void AddEngineMetrics(const SourceFetcher& sources, MetricRegistry& registry);

}  // namespace sasq

#endif  // SASQ_WORKER_ENGINE_METRICS_H_
