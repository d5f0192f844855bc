// What the domain logic tells the rest of the server after a change is durable.
#ifndef SASQ_SERVER_JOB_EVENTS_H_
#define SASQ_SERVER_JOB_EVENTS_H_

#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "sasq/v1/job.pb.h"

namespace sasq {

// Thread-safe and quick: called on the thread that made the change, with no lock held. Changes of
// one job may arrive out of order; their sequence tells.
class JobEvents {
 public:
  virtual ~JobEvents() = default;
  // The job changed; this is how a reader sees it.
  virtual void OnJobChanged(std::shared_ptr<const v1::Job> job) = 0;
  virtual void OnJobLogGrew(absl::string_view job_name) = 0;
  virtual void OnJobDeleted(absl::string_view job_name) = 0;
  // A job became QUEUED: a worker that waits can have it.
  virtual void OnJobQueued() = 0;
};

}  // namespace sasq

#endif  // SASQ_SERVER_JOB_EVENTS_H_
