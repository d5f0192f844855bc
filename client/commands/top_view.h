// What `sasq top` shows: pure functions of what the service said, the time and the width.
#ifndef SASQ_CLIENT_COMMANDS_TOP_VIEW_H_
#define SASQ_CLIENT_COMMANDS_TOP_VIEW_H_

#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "client/terminal.h"
#include "sasq/v1/quantization_service.pb.h"

namespace sasq {

// The service at one moment.
struct TopSnapshot {
  std::vector<v1::Job> running;  // CANCELLING ones too, those that began first at the head
  std::vector<v1::Job> queued;   // in the order in which they will be taken
  bool has_more_queued = false;  // than these
  std::vector<v1::Worker> workers;
};

// Sorts both lists.
void SortJobs(TopSnapshot* snapshot);

// The losses that were seen of running jobs. Thread-compatible.
class LossHistory {
 public:
  // Forgets what is not among `running`, and what another attempt or recipe did.
  void Update(const std::vector<v1::Job>& running);
  // Of the job `name`, the latest last.
  absl::Span<const double> Of(const std::string& name) const;

 private:
  struct Course {
    int attempt = 0;
    std::string subject;
    int64_t step = -1;
    std::vector<double> losses;
  };
  std::map<std::string, Course> courses_;
};

struct TopLook {
  std::string endpoint;
  std::string problem;  // why the snapshot is old; empty: it is not
  absl::Time now;
  int width = 80;
  TextStyle style;
};

// Lines, each of at most `look.width` columns where the tables allow it.
std::vector<std::string> RenderTop(const TopSnapshot& snapshot, const LossHistory& losses,
                                   const TopLook& look);

}  // namespace sasq

#endif  // SASQ_CLIENT_COMMANDS_TOP_VIEW_H_
