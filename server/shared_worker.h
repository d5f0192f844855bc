// A worker as coordinators that share a store tell each other of it.
#ifndef SASQ_SERVER_SHARED_WORKER_H_
#define SASQ_SERVER_SHARED_WORKER_H_

#include <string>

#include "absl/time/time.h"
#include "sasq/v1/quantization_service.pb.h"

namespace sasq {

struct SharedWorker {
  v1::Worker worker;  // without state and last_seen_time
  std::string instance_id;
  absl::Time last_seen;
  bool draining = false;
};

}  // namespace sasq

#endif  // SASQ_SERVER_SHARED_WORKER_H_
