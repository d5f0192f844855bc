// sasq.dispatch.v1.DispatchService on gRPC.
#ifndef SASQ_SERVER_DISPATCH_SERVICE_H_
#define SASQ_SERVER_DISPATCH_SERVICE_H_

#include <atomic>

#include "sasq/dispatch/v1/dispatch_service.grpc.pb.h"
#include "server/coordinator_parts.h"
#include "server/lease_manager.h"
#include "server/lease_queue.h"
#include "server/rpc_run.h"

namespace sasq {

// Thread-safe. Its arguments outlive it.
class DispatchServiceImpl final : public dispatch::v1::DispatchService::CallbackService {
 public:
  DispatchServiceImpl(LeaseManager& leases, LeaseQueue& queue, const CoordinatorParts& parts,
                      const RpcParts& rpc)
      : leases_(leases), queue_(queue), parts_(parts), rpc_(rpc) {}

  grpc::ServerUnaryReactor* RegisterWorker(grpc::CallbackServerContext* context,
                                           const dispatch::v1::RegisterWorkerRequest* request,
                                           dispatch::v1::RegisterWorkerResponse* response) override;
  grpc::ServerUnaryReactor* LeaseTask(grpc::CallbackServerContext* context,
                                      const dispatch::v1::LeaseTaskRequest* request,
                                      dispatch::v1::LeaseTaskResponse* response) override;
  grpc::ServerUnaryReactor* Heartbeat(grpc::CallbackServerContext* context,
                                      const dispatch::v1::HeartbeatRequest* request,
                                      dispatch::v1::HeartbeatResponse* response) override;
  grpc::ServerUnaryReactor* CompleteTask(grpc::CallbackServerContext* context,
                                         const dispatch::v1::CompleteTaskRequest* request,
                                         dispatch::v1::CompleteTaskResponse* response) override;

 private:
  LeaseManager& leases_;
  LeaseQueue& queue_;
  const CoordinatorParts parts_;
  const RpcParts rpc_;
  std::atomic<int> lease_call_count_{0};
};

}  // namespace sasq

#endif  // SASQ_SERVER_DISPATCH_SERVICE_H_
