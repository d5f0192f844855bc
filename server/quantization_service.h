// sasq.v1.QuantizationService on gRPC: hands requests to the Coordinator and statuses back.
#ifndef SASQ_SERVER_QUANTIZATION_SERVICE_H_
#define SASQ_SERVER_QUANTIZATION_SERVICE_H_

#include "sasq/v1/quantization_service.grpc.pb.h"
#include "server/job_streams.h"

namespace sasq {

// Thread-safe.
class QuantizationServiceImpl final : public v1::QuantizationService::CallbackService {
 public:
  explicit QuantizationServiceImpl(const StreamParts& parts) : parts_(parts) {}

  grpc::ServerUnaryReactor* SubmitJob(grpc::CallbackServerContext* context,
                                      const v1::SubmitJobRequest* request,
                                      v1::SubmitJobResponse* response) override;
  grpc::ServerUnaryReactor* GetJob(grpc::CallbackServerContext* context,
                                   const v1::GetJobRequest* request,
                                   v1::GetJobResponse* response) override;
  grpc::ServerUnaryReactor* ListJobs(grpc::CallbackServerContext* context,
                                     const v1::ListJobsRequest* request,
                                     v1::ListJobsResponse* response) override;
  grpc::ServerUnaryReactor* CancelJob(grpc::CallbackServerContext* context,
                                      const v1::CancelJobRequest* request,
                                      v1::CancelJobResponse* response) override;
  grpc::ServerUnaryReactor* DeleteJob(grpc::CallbackServerContext* context,
                                      const v1::DeleteJobRequest* request,
                                      v1::DeleteJobResponse* response) override;
  grpc::ServerWriteReactor<v1::WatchJobResponse>* WatchJob(
      grpc::CallbackServerContext* context, const v1::WatchJobRequest* request) override;
  grpc::ServerWriteReactor<v1::ReadJobLogResponse>* ReadJobLog(
      grpc::CallbackServerContext* context, const v1::ReadJobLogRequest* request) override;
  grpc::ServerUnaryReactor* ListWorkers(grpc::CallbackServerContext* context,
                                        const v1::ListWorkersRequest* request,
                                        v1::ListWorkersResponse* response) override;

 private:
  const StreamParts parts_;
};

}  // namespace sasq

#endif  // SASQ_SERVER_QUANTIZATION_SERVICE_H_
