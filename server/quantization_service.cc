#include "server/quantization_service.h"

#include <utility>

#include "common/status_macros.h"
#include "server/rpc_run.h"

namespace sasq {

grpc::ServerUnaryReactor* QuantizationServiceImpl::SubmitJob(grpc::CallbackServerContext* context,
                                                             const v1::SubmitJobRequest* request,
                                                             v1::SubmitJobResponse* response) {
  return RunUnary(
      context, parts_.rpc, Rpc::kSubmitJob, [this, request, response](Call& call) -> absl::Status {
        call.is_audited = !request->validate_only();
        SASQ_ASSIGN_OR_RETURN(
            *response, parts_.coordinator.SubmitJob(call.principal, *request, call.traceparent()));
        call.resource = response->job().name();
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* QuantizationServiceImpl::GetJob(grpc::CallbackServerContext* context,
                                                          const v1::GetJobRequest* request,
                                                          v1::GetJobResponse* response) {
  return RunUnary(
      context, parts_.rpc, Rpc::kGetJob, [this, request, response](Call& call) -> absl::Status {
        SASQ_ASSIGN_OR_RETURN(*response->mutable_job(),
                              parts_.coordinator.GetJob(call.principal, request->name()));
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* QuantizationServiceImpl::ListJobs(grpc::CallbackServerContext* context,
                                                            const v1::ListJobsRequest* request,
                                                            v1::ListJobsResponse* response) {
  return RunUnary(
      context, parts_.rpc, Rpc::kListJobs, [this, request, response](Call& call) -> absl::Status {
        SASQ_ASSIGN_OR_RETURN(*response, parts_.coordinator.ListJobs(call.principal, *request));
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* QuantizationServiceImpl::CancelJob(grpc::CallbackServerContext* context,
                                                             const v1::CancelJobRequest* request,
                                                             v1::CancelJobResponse* response) {
  return RunUnary(
      context, parts_.rpc, Rpc::kCancelJob, [this, request, response](Call& call) -> absl::Status {
        call.resource = request->name();
        SASQ_ASSIGN_OR_RETURN(*response->mutable_job(),
                              parts_.coordinator.CancelJob(call.principal, request->name()));
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* QuantizationServiceImpl::DeleteJob(grpc::CallbackServerContext* context,
                                                             const v1::DeleteJobRequest* request,
                                                             v1::DeleteJobResponse* response) {
  return RunUnary(context, parts_.rpc, Rpc::kDeleteJob, [this, request](Call& call) {
    call.resource = request->name();
    return parts_.coordinator.DeleteJob(call.principal, request->name());
  });
}

grpc::ServerWriteReactor<v1::WatchJobResponse>* QuantizationServiceImpl::WatchJob(
    grpc::CallbackServerContext* context, const v1::WatchJobRequest* request) {
  return StartWatchJob(parts_, *context, *request);
}

grpc::ServerWriteReactor<v1::ReadJobLogResponse>* QuantizationServiceImpl::ReadJobLog(
    grpc::CallbackServerContext* context, const v1::ReadJobLogRequest* request) {
  return StartReadJobLog(parts_, *context, *request);
}

grpc::ServerUnaryReactor* QuantizationServiceImpl::ListWorkers(
    grpc::CallbackServerContext* context, const v1::ListWorkersRequest* request,
    v1::ListWorkersResponse* response) {
  return RunUnary(context, parts_.rpc, Rpc::kListWorkers, [this, response](Call& call) {
    *response = parts_.coordinator.ListWorkers(call.principal);
    return absl::OkStatus();
  });
}

}  // namespace sasq
