// sasq-worker: leases jobs from the coordinator and runs them on this machine.
#include <pthread.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/file.h"
#include "common/log.h"
#include "common/metrics.h"
#include "common/otlp_exporter.h"
#include "common/signals.h"
#include "common/status_macros.h"
#include "worker/capabilities.h"
#include "worker/engine_metrics.h"
#include "worker/quantize_task.h"
#include "worker/source_options.h"
#include "worker/upload_client.h"
#include "worker/worker.h"
#include "worker/worker_device.h"

namespace sasq {
namespace {

constexpr int kExitFailure = 1;
constexpr int kExitUsage = 2;

RpcSecurity SecurityOfEnvironment() {
  RpcSecurity security;
  const char* token = std::getenv("SASQ_TOKEN");
  if (token != nullptr) security.token = token;
  return security;
}

struct Flags {
  std::string coordinator = "127.0.0.1:7433";
  RpcSecurity security = SecurityOfEnvironment();
  std::string worker_id;
  int threads = 0;
  std::string device = "auto";
  std::string metrics_address = "127.0.0.1:0";
  std::vector<std::string> allowed_roots;
  bool allow_private_addresses = false;
  SourceFetcher::Options sources = SourceOptionsOfEnvironment();
  std::string stall_timeout = "30s";
  std::string port_file;
  std::string log_level = "info";
  std::string log_format = "logfmt";
  std::string otlp_endpoint;
};

std::string DefaultWorkerId() {
  char host[256] = {};
  if (gethostname(host, sizeof(host) - 1) != 0 || host[0] == '\0') return absl::StrCat(getpid());
  return absl::StrCat(absl::string_view(host).substr(0, 100), "-", getpid());
}

absl::Status ServeMetrics(const Flags& flags, MetricRegistry& registry) {
  AddBuildInfo(registry, "sasq-worker");
  if (flags.metrics_address.empty()) return absl::OkStatus();
  SASQ_ASSIGN_OR_RETURN(const int port, registry.Serve(flags.metrics_address));
  LogInfo("metrics_served", {{"port", port}});
  if (flags.port_file.empty()) return absl::OkStatus();
  return WriteFileDurably(flags.port_file, absl::StrCat("{\"metrics\": ", port, "}\n"));
}

// Drains the worker on the first SIGTERM or SIGINT and ends the process on the second.
class StopSignals {
 public:
  explicit StopSignals(Worker* worker)
      : thread_([this, worker] {
          const int first = WaitForStopSignal();
          if (done_) return;
          LogInfo("signal", {{"number", first}, {"next", "handing back; again to stop at once"}});
          worker->Drain();
          const int second = WaitForStopSignal();
          if (!done_) std::_Exit(128 + second);
        }) {}
  ~StopSignals() {
    done_ = true;
    // Ends the wait: the signal is blocked in every thread and taken by sigwait, so it stops none.
    // NOLINTNEXTLINE(bugprone-bad-signal-to-kill-thread)
    pthread_kill(thread_.native_handle(), SIGTERM);
    thread_.join();
  }

 private:
  std::atomic<bool> done_{false};
  std::thread thread_;  // last: uses the member above
};

// What the flags say beyond the environment.
absl::StatusOr<SourceFetcher::Options> SourceOptions(const Flags& flags, UploadReader* uploads) {
  SourceFetcher::Options options = flags.sources;
  if (!flags.allowed_roots.empty()) {
    SASQ_ASSIGN_OR_RETURN(options.roots, AllowedRoots::Create(flags.allowed_roots));
  } else if (!flags.security.token.empty() || !flags.security.token_file.empty()) {
    options.roots = AllowedRoots::None();
  }
  options.hub.limits.only_public_addresses = !flags.allow_private_addresses;
  if (!absl::ParseDuration(flags.stall_timeout, &options.hub.limits.stall_timeout) ||
      options.hub.limits.stall_timeout < absl::Seconds(1)) {
    return absl::InvalidArgumentError(absl::StrCat("--stall_timeout is \"", flags.stall_timeout,
                                                   "\", want a duration of 1s or more"));
  }
  options.s3.limits = options.hub.limits;
  options.uploads = uploads;
  SASQ_RETURN_IF_ERROR(CheckSourceOptions(options));
  return options;
}

absl::Status Run(const Flags& flags) {
  SASQ_ASSIGN_OR_RETURN(const std::shared_ptr<grpc::Channel> channel,
                        MakeCoordinatorChannel(flags.coordinator, flags.security));
  UploadClient uploads(channel);
  SASQ_ASSIGN_OR_RETURN(SourceFetcher::Options source_options, SourceOptions(flags, &uploads));
  SourceFetcher sources(std::move(source_options));
  SASQ_ASSIGN_OR_RETURN(
      const WorkerDevice device,
      ChooseWorkerDevice(flags.device, flags.threads > 0 ? flags.threads : UsableCpuCount()));

  MetricRegistry registry;
  AddEngineMetrics(sources, registry);
  SASQ_RETURN_IF_ERROR(ServeMetrics(flags, registry));

  Worker::Options options;
  options.coordinator = flags.coordinator;
  options.channel = channel;
  options.worker_id = flags.worker_id.empty() ? DefaultWorkerId() : flags.worker_id;
  options.capabilities = device.capabilities;
  LogInfo("worker_starting", {{"worker", options.worker_id},
                              {"version", Version()},
                              {"device", options.capabilities.device_name()},
                              {"threads", options.capabilities.thread_count()},
                              {"kernel_path", options.capabilities.kernel_path()},
                              {"memory_bytes", options.capabilities.memory_bytes()},
                              {"gflops", options.capabilities.float_flops_per_second() / 1e9}});

  const std::unique_ptr<TaskRunner> runner =
      MakeQuantizeTask({device.compute, device.capabilities, &sources, &uploads});
  options.runner = runner.get();
  SASQ_ASSIGN_OR_RETURN(const std::unique_ptr<OtlpExporter> exporter,
                        OpenOtlpExporter(flags.otlp_endpoint, "sasq-worker"));
  const Tracer tracer(exporter.get());
  options.tracer = &tracer;
  options.metrics = &registry;
  SASQ_ASSIGN_OR_RETURN(const std::unique_ptr<Worker> worker, Worker::Create(std::move(options)));
  StopSignals signals(worker.get());
  return worker->Run();
}

int Main(int argc, char** argv) {
  Flags flags;
  CLI::App app("Leases quantization jobs from a coordinator and runs them on this machine.");
  app.add_option("--coordinator", flags.coordinator, "host:port of sasqd")->capture_default_str();
  app.add_flag("--tls", flags.security.tls, "Connect with TLS, with the system's authorities");
  app.add_option("--tls_ca", flags.security.files.authorities,
                 "Connect with TLS, with the authorities in this PEM file");
  app.add_option(
      "--tls_cert", flags.security.files.certificate,
      "PEM file of a certificate for a coordinator that asks for one; this file, like the "
      "others of TLS, is read again when it changes");
  app.add_option("--tls_key", flags.security.files.key, "PEM file of the certificate's key");
  app.add_option("--token_file", flags.security.token_file,
                 "File that holds the worker's token, read for every call (default: $SASQ_TOKEN)");
  app.add_option("--worker_id", flags.worker_id,
                 "Name in the fleet, stable over restarts if you want (default: HOST-PID)");
  app.add_option("--threads", flags.threads, "Threads of a job (default: every usable core)")
      ->check(CLI::Range(1, 256));
  app.add_option("--device", flags.device, "auto (a CUDA device where there is one), cpu or cuda")
      ->check(CLI::IsMember({"auto", "cpu", "cuda"}))
      ->capture_default_str();
  app.add_option("--metrics_address", flags.metrics_address,
                 "host:port of GET /metrics, port 0 for any; empty for none")
      ->capture_default_str();
  app.add_option("--port_file", flags.port_file,
                 "File to write the port to, as {\"metrics\": N}, once it listens");
  app.add_option("--allowed_roots", flags.allowed_roots,
                 "Folders that jobs may name with file:, separated by commas; / for all (default: "
                 "all, and with a token none)")
      ->delimiter(',');
  app.add_option("--cache_dir", flags.sources.cache.folder,
                 "Folder of fetched models and texts; workers of a host may share it")
      ->capture_default_str();
  app.add_option("--cache_max_bytes", flags.sources.cache.max_bytes, "How large it may grow")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--hf_endpoint", flags.sources.hub.endpoint,
                 "Hub of hf: sources ($HF_ENDPOINT; $HF_TOKEN is sent to it alone)")
      ->capture_default_str();
  app.add_option("--s3_endpoint", flags.sources.s3.endpoint,
                 "Store of s3: sources ($AWS_ENDPOINT_URL; credentials as of the AWS programs: "
                 "$AWS_ACCESS_KEY_ID, $AWS_SECRET_ACCESS_KEY, $AWS_SESSION_TOKEN, $AWS_REGION)")
      ->capture_default_str();
  app.add_flag("--allow_private_addresses", flags.allow_private_addresses,
               "Fetch from a hub or store in a private network or on this machine too, also where "
               "redirects lead there");
  app.add_option("--stall_timeout", flags.stall_timeout,
                 "A transfer slower than 1 KiB/s for this long is broken off and tried again")
      ->capture_default_str();
  app.add_option("--log_level", flags.log_level, "Lowest level that is logged")
      ->check(CLI::IsMember({"info", "warning", "error", "off"}))
      ->capture_default_str();
  app.add_option("--log_format", flags.log_format, "Form of its lines")
      ->check(CLI::IsMember({"logfmt", "json"}))
      ->capture_default_str();
  app.add_option("--otlp_endpoint", flags.otlp_endpoint,
                 "Collector to send spans to by OTLP/HTTP, such as http://127.0.0.1:4318 "
                 "($OTEL_EXPORTER_OTLP_ENDPOINT, $OTEL_EXPORTER_OTLP_HEADERS; default: none)");
  app.set_version_flag("--version", std::string(Version()));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? EXIT_SUCCESS : kExitUsage;
  }

  BlockStopSignals();
  absl::Status status = SetLogLevel(flags.log_level);
  if (status.ok()) status = SetLogFormat(flags.log_format);
  if (status.ok()) status = Run(flags);
  if (!status.ok()) {
    std::fprintf(stderr, "sasq-worker: %s\n", std::string(status.message()).c_str());
    return kExitFailure;
  }
  return EXIT_SUCCESS;
}

}  // namespace
}  // namespace sasq

int main(int argc, char** argv) {
  try {
    return sasq::Main(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "sasq-worker: %s\n", error.what());
    return EXIT_FAILURE;
  }
}
