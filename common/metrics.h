// Prometheus metrics without prometheus-cpp's headers. Names follow Prometheus' conventions with
// the prefix `sasq_` and base units; labels are bounded (never a job id, a path or a message).
#ifndef SASQ_COMMON_METRICS_H_
#define SASQ_COMMON_METRICS_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sasq {

using MetricLabels = std::map<std::string, std::string>;

// The metrics of one process. Thread-safe; a metric lives as long as its registry. Asking again for
// the same name and labels gives the same metric. A malformed name ends the process.
class MetricRegistry {
 public:
  // Goes up only.
  class Counter {
   public:
    virtual ~Counter() = default;
    virtual void Add(double amount) = 0;  // >= 0
    virtual double value() const = 0;
  };
  // Goes up and down.
  class Gauge {
   public:
    virtual ~Gauge() = default;
    virtual void Set(double value) = 0;
    virtual void Add(double amount) = 0;
    virtual double value() const = 0;
  };
  // Counts observations by size.
  class Histogram {
   public:
    virtual ~Histogram() = default;
    virtual void Observe(double value) = 0;
  };

  MetricRegistry();
  ~MetricRegistry();
  MetricRegistry(const MetricRegistry&) = delete;
  MetricRegistry& operator=(const MetricRegistry&) = delete;

  Counter& GetCounter(const std::string& name, const std::string& help,
                      const MetricLabels& labels = {});
  Gauge& GetGauge(const std::string& name, const std::string& help,
                  const MetricLabels& labels = {});
  // `bounds`: upper bounds of the buckets, ascending; the same for every use of a name.
  Histogram& GetHistogram(const std::string& name, const std::string& help,
                          const std::vector<double>& bounds, const MetricLabels& labels = {});

  // Has `update` called before every answer to GET /metrics, one call at a time, to set what is
  // read from elsewhere. Call before Serve. What `update` refers to outlives the registry.
  void BeforeScrape(std::function<void()> update);

  // Serves GET /metrics on `address` (host:port, port 0 for any) until the registry is destroyed
  // and returns the port. INVALID_ARGUMENT if that is no address, UNAVAILABLE if it cannot be
  // listened on.
  absl::StatusOr<int> Serve(const std::string& address);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Adds `sasq_build_info` with the program's name and version.
void AddBuildInfo(MetricRegistry& registry, const std::string& program);

// The version of this build, such as "0.1.0".
absl::string_view Version();

}  // namespace sasq

#endif  // SASQ_COMMON_METRICS_H_
