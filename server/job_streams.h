// The streams that follow a job: its states and its log.
#ifndef SASQ_SERVER_JOB_STREAMS_H_
#define SASQ_SERVER_JOB_STREAMS_H_

#include <grpcpp/support/server_callback.h>

#include "sasq/v1/quantization_service.pb.h"
#include "server/coordinator.h"
#include "server/rpc_run.h"
#include "server/watch_hub.h"

namespace sasq {

// What streams need. Every part outlives them.
struct StreamParts {
  Coordinator& coordinator;
  WatchHub& hub;
  RpcParts rpc;
};

// WatchJob: sends the job now and after every change, the latest state only, and ends after an
// ended one.
grpc::ServerWriteReactor<v1::WatchJobResponse>* StartWatchJob(const StreamParts& parts,
                                                              grpc::CallbackServerContext& context,
                                                              const v1::WatchJobRequest& request);

// ReadJobLog: sends the log from an offset, and with `follow` what is added until the job ends.
grpc::ServerWriteReactor<v1::ReadJobLogResponse>* StartReadJobLog(
    const StreamParts& parts, grpc::CallbackServerContext& context,
    const v1::ReadJobLogRequest& request);

}  // namespace sasq

#endif  // SASQ_SERVER_JOB_STREAMS_H_
