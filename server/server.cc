#include "server/server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>

#include <atomic>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/address.h"
#include "common/file.h"
#include "common/log.h"
#include "common/metrics.h"
#include "common/mutex.h"
#include "common/status_macros.h"
#include "server/access/access_gate.h"
#include "server/artifact_service.h"
#include "server/blob_keeper.h"
#include "server/connection_limits.h"
#include "server/coordinator.h"
#include "server/data_folder.h"
#include "server/dispatch_service.h"
#include "server/lease_queue.h"
#include "server/metered_job_store.h"
#include "server/quantization_service.h"
#include "server/remote_changes.h"
#include "server/rpc_headers.h"
#include "server/rpc_metrics.h"
#include "server/server_credentials.h"
#include "server/server_metrics.h"
#include "server/watch_hub.h"
#include "server/worker_registry.h"

namespace sasq {
namespace {

constexpr absl::Duration kQueueTick = absl::Milliseconds(100);
constexpr absl::Duration kLeaseTick = absl::Seconds(1);
constexpr absl::Duration kRetentionTick = absl::Minutes(1);
// Of each kind: what is left goes at the next tick.
constexpr int kMaxDeletionsPerTick = 1000;

constexpr const char* kServiceNames[] = {"", "sasq.v1.QuantizationService",
                                         "sasq.v1.ArtifactService",
                                         "sasq.dispatch.v1.DispatchService"};

// What is missing for an address that other machines reach.
absl::Status CheckReach(const Server::Options& options) {
  if (options.insecure) return absl::OkStatus();
  const bool has_tls = !options.tls.certificate.empty();
  const bool has_tokens = !options.access.tokens.tokens_file.empty();
  if (!IsLoopbackAddress(options.listen_address) && !(has_tls && has_tokens)) {
    return absl::InvalidArgumentError(absl::StrCat(
        options.listen_address, " can be reached from other machines, and there is no ",
        has_tls      ? "--tokens: anyone could submit jobs and read results"
        : has_tokens ? "--tls_cert: anyone on the way could read tokens"
                     : "--tls_cert and no --tokens: anyone could submit jobs and read results",
        "; name what is missing, listen on 127.0.0.1, or say --insecure if the network keeps "
        "strangers out"));
  }
  if (!options.metrics_address.empty() && !IsLoopbackAddress(options.metrics_address)) {
    return absl::InvalidArgumentError(absl::StrCat(
        options.metrics_address,
        " can be reached from other machines, and the page of metrics has neither TLS nor tokens; "
        "listen on 127.0.0.1, or say --insecure if the network keeps strangers out"));
  }
  return absl::OkStatus();
}

absl::Status CheckOptions(const Server::Options& options) {
  if (options.data_folder.empty()) {
    return absl::InvalidArgumentError("--data_dir is empty, want a folder to keep jobs in");
  }
  if (options.leases.lease_duration < 3 * options.leases.heartbeat_interval ||
      options.leases.heartbeat_interval <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--lease_duration is ", absl::FormatDuration(options.leases.lease_duration),
        " and --heartbeat_interval ", absl::FormatDuration(options.leases.heartbeat_interval),
        ", want an interval above 0 and a lease of at least three"));
  }
  if (options.blobs.upload_retention < absl::Minutes(1) || options.blobs.max_blob_bytes <= 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("--upload_retention is ", absl::FormatDuration(options.blobs.upload_retention),
                     " and --max_blob_bytes ", options.blobs.max_blob_bytes,
                     ", want at least 1m and more than 0"));
  }
  const CoordinatorLimits& limits = options.limits;
  if (limits.max_queued_per_tenant < 0 || limits.max_running_per_tenant < 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--max_queued_per_tenant is ", limits.max_queued_per_tenant,
        " and --max_running_per_tenant ", limits.max_running_per_tenant, ", want 0 or more"));
  }
  if (limits.keep_succeeded < absl::Minutes(1) || limits.keep_failed < absl::Minutes(1)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--keep_succeeded is ", absl::FormatDuration(limits.keep_succeeded), " and --keep_failed ",
        absl::FormatDuration(limits.keep_failed), ", want at least 1m"));
  }
  const ConnectionLimits& connections = options.connections;
  if (connections.max_streams_per_connection < 1 || connections.max_idle < absl::Seconds(1) ||
      connections.max_age < absl::Seconds(1)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--max_streams_per_connection is ", connections.max_streams_per_connection,
                     ", --max_connection_idle ", absl::FormatDuration(connections.max_idle),
                     " and --max_connection_age ", absl::FormatDuration(connections.max_age),
                     ", want at least 1 and 1s"));
  }
  return CheckReach(options);
}

}  // namespace

class Server::Impl {
 public:
  explicit Impl(const Options& options)
      : options_(options),
        metrics_(registry_),
        workers_(options.leases.lease_duration),
        hub_([this] { queue_->Wake(); }) {}
  ~Impl() { Shutdown(); }

  absl::Status Start() {
    SASQ_ASSIGN_OR_RETURN(data_folder_, DataFolder::Open(options_.data_folder));
    StoreOptions store_options = options_.stores;
    store_options.thread_count = options_.executor.thread_count;
    store_options.clock = options_.clock;
    SASQ_ASSIGN_OR_RETURN(stores_, OpenStores(store_options, *data_folder_));
    jobs_ = std::make_unique<MeteredJobStore>(*stores_.jobs, metrics_);
    BlobKeeper::Options keeper_options = options_.blobs;
    keeper_options.clock = options_.clock;
    keeper_ = std::make_unique<BlobKeeper>(*stores_.blobs, *jobs_, metrics_, keeper_options);
    SASQ_RETURN_IF_ERROR(keeper_->RemoveOrphans());
    executor_ = std::make_unique<Executor>(options_.executor);
    CoordinatorLimits limits = options_.limits;
    limits.cancel_grace = 2 * options_.leases.heartbeat_interval;
    const CoordinatorParts parts = {*options_.clock, *jobs_, *keeper_,
                                    workers_,        hub_,   metrics_,
                                    options_.roots,  limits, *options_.tracer};
    coordinator_ = std::make_unique<Coordinator>(parts);
    leases_ = std::make_unique<LeaseManager>(parts, options_.leases);
    queue_ = std::make_unique<LeaseQueue>(*leases_, parts, *executor_);
    if (stores_.shared_jobs != nullptr) {
      remote_changes_ = std::make_unique<RemoteChanges>(parts, hub_, *executor_);
      stores_.shared_jobs->Listen(*remote_changes_);
    }
    AccessGate::Options access = options_.access;
    access.tracer = options_.tracer;
    SASQ_ASSIGN_OR_RETURN(gate_, AccessGate::Create(access, *executor_));
    const RpcParts rpc = {*gate_, *executor_};
    quantization_service_ =
        std::make_unique<QuantizationServiceImpl>(StreamParts{*coordinator_, hub_, rpc});
    artifact_service_ = std::make_unique<ArtifactServiceImpl>(*coordinator_, rpc, metrics_);
    dispatch_service_ = std::make_unique<DispatchServiceImpl>(*leases_, *queue_, parts, rpc);
    SASQ_RETURN_IF_ERROR(leases_->Tick(options_.clock->Now()));
    MeasureDataDisk();
    SASQ_RETURN_IF_ERROR(StartGrpc());
    if (!options_.metrics_address.empty()) {
      SASQ_ASSIGN_OR_RETURN(metrics_port_, registry_.Serve(options_.metrics_address));
    }
    ticker_ = std::thread([this] { RunTicker(); });
    return absl::OkStatus();
  }

  void Shutdown() ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      MutexLock lock(&mutex_);
      if (stopping_) return;
      stopping_ = true;
      stop_.SignalAll();
    }
    if (ticker_.joinable()) ticker_.join();
    if (stores_.shared_jobs != nullptr) stores_.shared_jobs->StopListening();
    if (grpc_ != nullptr) {
      if (grpc_->GetHealthCheckService() != nullptr) grpc_->GetHealthCheckService()->Shutdown();
      queue_->Shutdown();
      hub_.Shutdown();
      gate_->Stop();
      grpc_->Shutdown(absl::ToChronoTime(absl::Now() + options_.drain_timeout));
      grpc_->Wait();
    }
    if (executor_ != nullptr) executor_->Stop();
  }

  int port() const { return port_; }
  int metrics_port() const { return metrics_port_; }

 private:
  absl::Status StartGrpc() {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    grpc::ServerBuilder builder;
    SASQ_ASSIGN_OR_RETURN(const std::shared_ptr<grpc::ServerCredentials> credentials,
                          MakeServerCredentials(options_.tls));
    builder.AddListeningPort(options_.listen_address, credentials, &port_);
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    SetConnectionLimits(options_.connections, builder);
    builder.RegisterService(quantization_service_.get());
    builder.RegisterService(artifact_service_.get());
    builder.RegisterService(dispatch_service_.get());
    std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> creators;
    creators.push_back(MakeRpcMetrics(metrics_));
    creators.push_back(MakeRpcHeaders(*options_.clock));
    builder.experimental().SetInterceptorCreators(std::move(creators));
    grpc_ = builder.BuildAndStart();
    if (grpc_ == nullptr || port_ == 0) {
      return absl::UnavailableError(
          absl::StrCat("cannot listen on ", options_.listen_address,
                       "; is the port taken? Choose another --listen_address"));
    }
    for (const char* name : kServiceNames) {
      grpc_->GetHealthCheckService()->SetServingStatus(name, true);
    }
    return absl::OkStatus();
  }

  // Drives what happens by time alone. Never blocks on a store: that work goes to the executor.
  void RunTicker() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::Time next_lease_tick = absl::InfinitePast();
    while (true) {
      {
        MutexLock lock(&mutex_);
        if (!stopping_) stop_.WaitFor(&mutex_, kQueueTick);
        if (stopping_) return;
      }
      queue_->Tick(options_.clock->Now());
      const absl::Time now = Clock::Real()->Now();
      if (now < next_lease_tick || lease_tick_runs_.load()) continue;
      next_lease_tick = now + kLeaseTick;
      if (remote_changes_ != nullptr) remote_changes_->Tick();
      lease_tick_runs_.store(true);
      const bool accepted = executor_->TrySubmit([this] {
        const absl::Status status = leases_->Tick(options_.clock->Now());
        if (!status.ok()) LogError("lease_tick_failed", {{"error", status}});
        MeasureDataDisk();
        ReloadTokens();
        RemoveExpired();
        lease_tick_runs_.store(false);
      });
      if (!accepted) lease_tick_runs_.store(false);
    }
  }

  void MeasureDataDisk() {
    const absl::StatusOr<DiskSpace> space = DiskSpaceOf(options_.data_folder);
    if (space.ok()) metrics_.SetDataDisk(*space);  // otherwise the stores tell more
  }

  // One call at a time.
  void ReloadTokens() {
    const absl::Status status = gate_->Reload();
    if (!status.ok()) LogError("tokens_not_reloaded", {{"error", status}});
  }

  // Jobs and uploads that are kept no longer. One call at a time.
  void RemoveExpired() {
    const absl::Time now = Clock::Real()->Now();
    if (now < next_retention_tick_) return;
    next_retention_tick_ = now + kRetentionTick;
    absl::Status status =
        coordinator_->DeleteExpiredJobs(options_.clock->Now(), kMaxDeletionsPerTick);
    status.Update(keeper_->RemoveExpiredUploads(options_.clock->Now()));
    if (!status.ok()) LogError("retention_tick_failed", {{"error", status}});
  }

  // In the order of their making: what comes later uses what comes earlier.
  const Options options_;
  MetricRegistry registry_;
  ServerMetrics metrics_;
  WorkerRegistry workers_;
  std::unique_ptr<DataFolder> data_folder_;
  Stores stores_;
  std::unique_ptr<MeteredJobStore> jobs_;
  std::unique_ptr<BlobKeeper> keeper_;
  WatchHub hub_;
  std::unique_ptr<Executor> executor_;
  std::unique_ptr<Coordinator> coordinator_;
  std::unique_ptr<LeaseManager> leases_;
  std::unique_ptr<LeaseQueue> queue_;
  std::unique_ptr<RemoteChanges> remote_changes_;  // null where the stores are this server's alone
  std::unique_ptr<AccessGate> gate_;
  std::unique_ptr<QuantizationServiceImpl> quantization_service_;
  std::unique_ptr<ArtifactServiceImpl> artifact_service_;
  std::unique_ptr<DispatchServiceImpl> dispatch_service_;
  std::unique_ptr<grpc::Server> grpc_;
  int port_ = 0;
  int metrics_port_ = 0;
  std::thread ticker_;
  std::atomic<bool> lease_tick_runs_{false};
  absl::Time next_retention_tick_ = absl::InfinitePast();  // used by the lease tick

  Mutex mutex_;
  CondVar stop_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
};

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() = default;

absl::StatusOr<std::unique_ptr<Server>> Server::Create(const Options& options) {
  SASQ_RETURN_IF_ERROR(CheckOptions(options));
  auto impl = std::make_unique<Impl>(options);
  SASQ_RETURN_IF_ERROR(impl->Start());
  LogInfo("serving", {{"grpc_port", impl->port()},
                      {"metrics_port", impl->metrics_port()},
                      {"data_dir", options.data_folder},
                      {"job_store", options.stores.jobs == "sqlite" ? "sqlite" : "postgres"},
                      {"blob_store", options.stores.blobs},
                      {"version", Version()}});
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

int Server::port() const { return impl_->port(); }
int Server::metrics_port() const { return impl_->metrics_port(); }
void Server::Shutdown() { impl_->Shutdown(); }

}  // namespace sasq
