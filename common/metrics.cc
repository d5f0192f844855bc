#include "common/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/exposer.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/mutex.h"
#include "common/status_macros.h"

namespace sasq {
namespace {

class CounterImpl final : public MetricRegistry::Counter {
 public:
  explicit CounterImpl(prometheus::Counter& metric) : metric_(metric) {}
  void Add(double amount) override { metric_.Increment(amount); }
  double value() const override { return metric_.Value(); }

 private:
  prometheus::Counter& metric_;
};

class GaugeImpl final : public MetricRegistry::Gauge {
 public:
  explicit GaugeImpl(prometheus::Gauge& metric) : metric_(metric) {}
  void Set(double value) override { metric_.Set(value); }
  void Add(double amount) override { metric_.Increment(amount); }
  double value() const override { return metric_.Value(); }

 private:
  prometheus::Gauge& metric_;
};

class HistogramImpl final : public MetricRegistry::Histogram {
 public:
  explicit HistogramImpl(prometheus::Histogram& metric) : metric_(metric) {}
  void Observe(double value) override { metric_.Observe(value); }

 private:
  prometheus::Histogram& metric_;
};

// prometheus-cpp throws on a malformed name or label: a fault of ours.
template <typename Make>
auto& MustMake(Make make) {
  try {
    return make();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "metric: %s\n", error.what());
    std::abort();
  }
}

}  // namespace

struct MetricRegistry::Impl {
  std::shared_ptr<prometheus::Registry> registry = std::make_shared<prometheus::Registry>();

  Mutex mutex;
  // Keyed by prometheus-cpp's own object, which is one for a name and labels.
  std::map<const void*, std::unique_ptr<Counter>> counters ABSL_GUARDED_BY(mutex);
  std::map<const void*, std::unique_ptr<Gauge>> gauges ABSL_GUARDED_BY(mutex);
  std::map<const void*, std::unique_ptr<Histogram>> histograms ABSL_GUARDED_BY(mutex);

  std::unique_ptr<prometheus::Exposer> exposer;  // last: stops before the metrics go

  template <typename Wrapper, typename Base, typename Metric>
  static Base& Wrap(std::map<const void*, std::unique_ptr<Base>>& wrappers, Metric& metric) {
    std::unique_ptr<Base>& wrapper = wrappers[&metric];
    if (wrapper == nullptr) wrapper = std::make_unique<Wrapper>(metric);
    return *wrapper;
  }
};

MetricRegistry::MetricRegistry() : impl_(std::make_unique<Impl>()) {}
MetricRegistry::~MetricRegistry() = default;

MetricRegistry::Counter& MetricRegistry::GetCounter(const std::string& name,
                                                    const std::string& help,
                                                    const MetricLabels& labels) {
  auto& metric = MustMake([&]() -> prometheus::Counter& {
    return prometheus::BuildCounter().Name(name).Help(help).Register(*impl_->registry).Add(labels);
  });
  MutexLock lock(&impl_->mutex);
  return Impl::Wrap<CounterImpl>(impl_->counters, metric);
}

MetricRegistry::Gauge& MetricRegistry::GetGauge(const std::string& name, const std::string& help,
                                                const MetricLabels& labels) {
  auto& metric = MustMake([&]() -> prometheus::Gauge& {
    return prometheus::BuildGauge().Name(name).Help(help).Register(*impl_->registry).Add(labels);
  });
  MutexLock lock(&impl_->mutex);
  return Impl::Wrap<GaugeImpl>(impl_->gauges, metric);
}

MetricRegistry::Histogram& MetricRegistry::GetHistogram(const std::string& name,
                                                        const std::string& help,
                                                        const std::vector<double>& bounds,
                                                        const MetricLabels& labels) {
  auto& metric = MustMake([&]() -> prometheus::Histogram& {
    return prometheus::BuildHistogram()
        .Name(name)
        .Help(help)
        .Register(*impl_->registry)
        .Add(labels, prometheus::Histogram::BucketBoundaries(bounds.begin(), bounds.end()));
  });
  MutexLock lock(&impl_->mutex);
  return Impl::Wrap<HistogramImpl>(impl_->histograms, metric);
}

absl::StatusOr<int> MetricRegistry::Serve(const std::string& address) {
  SASQ_CHECK(impl_->exposer == nullptr);
  try {
    impl_->exposer = std::make_unique<prometheus::Exposer>(address, /*num_threads=*/1);
    impl_->exposer->RegisterCollectable(impl_->registry);
    return impl_->exposer->GetListeningPorts().at(0);
  } catch (const std::exception& error) {
    return absl::UnavailableError(absl::StrCat("cannot serve metrics on ", address, ": ",
                                               error.what(), "; choose another --metrics_address"));
  }
}

void AddBuildInfo(MetricRegistry& registry, const std::string& program) {
  registry
      .GetGauge("sasq_build_info", "Always 1; the labels say what is running.",
                {{"program", program}, {"version", std::string(Version())}})
      .Set(1);
}

absl::string_view Version() { return SASQ_VERSION; }

}  // namespace sasq
