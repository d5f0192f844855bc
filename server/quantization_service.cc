#include "server/quantization_service.h"

#include <utility>

#include "common/status_macros.h"
#include "server/rpc_run.h"

namespace sasq {

grpc::ServerUnaryReactor* QuantizationServiceImpl::SubmitJob(grpc::CallbackServerContext* context,
                                                             const v1::SubmitJobRequest* request,
                                                             v1::SubmitJobResponse* response) {
  return RunUnary(context, parts_.executor, [this, request, response]() -> absl::Status {
    SASQ_ASSIGN_OR_RETURN(*response, parts_.coordinator.SubmitJob(*request));
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* QuantizationServiceImpl::GetJob(grpc::CallbackServerContext* context,
                                                          const v1::GetJobRequest* request,
                                                          v1::GetJobResponse* response) {
  return RunUnary(context, parts_.executor, [this, request, response]() -> absl::Status {
    SASQ_ASSIGN_OR_RETURN(*response->mutable_job(), parts_.coordinator.GetJob(request->name()));
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* QuantizationServiceImpl::ListJobs(grpc::CallbackServerContext* context,
                                                            const v1::ListJobsRequest* request,
                                                            v1::ListJobsResponse* response) {
  return RunUnary(context, parts_.executor, [this, request, response]() -> absl::Status {
    SASQ_ASSIGN_OR_RETURN(*response, parts_.coordinator.ListJobs(*request));
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* QuantizationServiceImpl::CancelJob(grpc::CallbackServerContext* context,
                                                             const v1::CancelJobRequest* request,
                                                             v1::CancelJobResponse* response) {
  return RunUnary(context, parts_.executor, [this, request, response]() -> absl::Status {
    SASQ_ASSIGN_OR_RETURN(*response->mutable_job(), parts_.coordinator.CancelJob(request->name()));
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* QuantizationServiceImpl::DeleteJob(grpc::CallbackServerContext* context,
                                                             const v1::DeleteJobRequest* request,
                                                             v1::DeleteJobResponse* response) {
  return RunUnary(context, parts_.executor,
                  [this, request] { return parts_.coordinator.DeleteJob(request->name()); });
}

grpc::ServerWriteReactor<v1::WatchJobResponse>* QuantizationServiceImpl::WatchJob(
    grpc::CallbackServerContext* context, const v1::WatchJobRequest* request) {
  return StartWatchJob(parts_, *request);
}

grpc::ServerWriteReactor<v1::ReadJobLogResponse>* QuantizationServiceImpl::ReadJobLog(
    grpc::CallbackServerContext* context, const v1::ReadJobLogRequest* request) {
  return StartReadJobLog(parts_, *request);
}

grpc::ServerUnaryReactor* QuantizationServiceImpl::ListWorkers(
    grpc::CallbackServerContext* context, const v1::ListWorkersRequest* request,
    v1::ListWorkersResponse* response) {
  return RunUnary(context, parts_.executor, [this, response] {
    *response = parts_.coordinator.ListWorkers();
    return absl::OkStatus();
  });
}

}  // namespace sasq
