// The coordinator as one object: stores, domain logic, gRPC and metrics, wired and running.
#ifndef SASQ_SERVER_SERVER_H_
#define SASQ_SERVER_SERVER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/executor.h"
#include "common/tls_files.h"
#include "quant/source/allowed_roots.h"
#include "server/access/access_gate.h"
#include "server/blob_keeper.h"
#include "server/connection_limits.h"
#include "server/coordinator_parts.h"
#include "server/lease_manager.h"
#include "server/stores.h"

namespace sasq {

// Runs from Create to its destruction. Thread-safe.
class Server {
 public:
  struct Options {
    std::string listen_address = "127.0.0.1:7433";   // of gRPC, host:port; port 0: any
    std::string metrics_address = "127.0.0.1:7434";  // of GET /metrics; empty: none
    std::string data_folder;                         // required
    StoreOptions stores;                             // thread_count and clock are set from below
    TlsFiles tls;  // certificate: serve with TLS; authorities: of clients, who have to have one
    AccessGate::Options access;  // its tracer is set from below
    ConnectionLimits connections;
    // Listen on addresses that other machines reach although TLS or tokens are missing, or for the
    // page of metrics, which has neither.
    bool insecure = false;
    AllowedRoots roots;  // what `file:` sources may name
    BlobKeeper::Options blobs;
    LeaseManager::Options leases;
    CoordinatorLimits limits;  // cancel_grace is set to two heartbeats
    Executor::Options executor = {.thread_count = 4, .max_queued = 10'000};  // store operations
    absl::Duration drain_timeout = absl::Seconds(5);  // calls in flight at Shutdown get as long
    const Clock* clock = Clock::Real();
    const Tracer* tracer = &Tracer::Off();
  };

  // Listens when it returns. INVALID_ARGUMENT for an option, FAILED_PRECONDITION if another
  // process has the data folder, UNAVAILABLE if an address cannot be listened on or a store is
  // away.
  static absl::StatusOr<std::unique_ptr<Server>> Create(const Options& options);
  // Shuts down.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  int port() const;          // of gRPC
  int metrics_port() const;  // 0: none

  // Ends streams and polls with UNAVAILABLE (SERVER_SHUTDOWN), lets other calls finish within
  // drain_timeout, then stops. May be called again.
  void Shutdown();

 private:
  class Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace sasq

#endif  // SASQ_SERVER_SERVER_H_
