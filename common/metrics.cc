#include "common/metrics.h"

#include <httplib.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>
#include <sys/socket.h>

#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
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

// Serves GET /metrics. Not prometheus-cpp's own Exposer: its threads have stacks of 100 KiB, less
// than what cuBLAS takes of every thread's stack for its thread-local data, so that no thread of it
// starts in a CUDA worker.
class MetricsServer {
 public:
  // `update` is called on the threads of the server, one call at a time.
  MetricsServer(std::shared_ptr<const prometheus::Registry> registry, std::function<void()> update)
      : update_(std::move(update)) {
    constexpr int kThreads = 2;
    constexpr int kTimeoutSeconds = 10;
    server_.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
    server_.set_read_timeout(kTimeoutSeconds);
    server_.set_write_timeout(kTimeoutSeconds);
    // Not the default, which shares a port with whoever asks for it too.
    server_.set_socket_options([](socket_t socket) {
      const int on = 1;
      ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    });
    server_.Get("/metrics", [this, registry = std::move(registry)](const httplib::Request&,
                                                                   httplib::Response& response) {
      {
        MutexLock lock(&update_mutex_);
        update_();
      }
      response.set_content(prometheus::TextSerializer().Serialize(registry->Collect()),
                           "text/plain; version=0.0.4; charset=utf-8");
    });
  }

  ~MetricsServer() {
    if (!thread_.joinable()) return;
    server_.stop();
    thread_.join();
  }

  // The port, or nothing.
  std::optional<int> Start(const std::string& host, int port) {
    if (port == 0) {
      port = server_.bind_to_any_port(host);
    } else if (!server_.bind_to_port(host, port)) {
      port = -1;
    }
    if (port < 0) return std::nullopt;
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    while (!server_.is_running()) std::this_thread::yield();  // stop() does nothing before
    return port;
  }

 private:
  const std::function<void()> update_;
  Mutex update_mutex_;
  httplib::Server server_;
  std::thread thread_;
};

}  // namespace

struct MetricRegistry::Impl {
  std::shared_ptr<prometheus::Registry> registry = std::make_shared<prometheus::Registry>();

  Mutex mutex;
  // Keyed by prometheus-cpp's own object, which is one for a name and labels.
  std::map<const void*, std::unique_ptr<Counter>> counters ABSL_GUARDED_BY(mutex);
  std::map<const void*, std::unique_ptr<Gauge>> gauges ABSL_GUARDED_BY(mutex);
  std::map<const void*, std::unique_ptr<Histogram>> histograms ABSL_GUARDED_BY(mutex);

  std::vector<std::function<void()>> updates;
  std::unique_ptr<MetricsServer> server;  // last: stops before the metrics go

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

void MetricRegistry::BeforeScrape(std::function<void()> update) {
  SASQ_CHECK(impl_->server == nullptr);
  impl_->updates.push_back(std::move(update));
}

absl::StatusOr<int> MetricRegistry::Serve(const std::string& address) {
  SASQ_CHECK(impl_->server == nullptr);
  const size_t colon = address.rfind(':');
  int port = 0;
  if (colon == std::string::npos || colon == 0 ||
      !absl::SimpleAtoi(absl::string_view(address).substr(colon + 1), &port) || port < 0 ||
      port > 65535) {
    return absl::InvalidArgumentError(absl::StrCat("the address for metrics is \"", address,
                                                   "\", want HOST:PORT, such as 127.0.0.1:9433"));
  }
  impl_->server = std::make_unique<MetricsServer>(impl_->registry, [impl = impl_.get()] {
    for (const std::function<void()>& update : impl->updates) update();
  });
  const std::optional<int> bound = impl_->server->Start(address.substr(0, colon), port);
  if (!bound.has_value()) {
    impl_->server.reset();
    return absl::UnavailableError(absl::StrCat("cannot listen on ", address,
                                               " for metrics; choose another --metrics_address"));
  }
  return *bound;
}

void AddBuildInfo(MetricRegistry& registry, const std::string& program) {
  registry
      .GetGauge("sasq_build_info", "Always 1; the labels say what is running.",
                {{"program", program}, {"version", std::string(Version())}})
      .Set(1);
}

absl::string_view Version() { return SASQ_VERSION; }

}  // namespace sasq
