// What a store that several coordinators share tells each of them about changes of the others.
#ifndef SASQ_SERVER_STORE_CHANGES_H_
#define SASQ_SERVER_STORE_CHANGES_H_

#include <string>

namespace sasq {

// A job that another coordinator changed, durably.
struct StoreChange {
  std::string job_id;
  bool changed = false;  // what readers of the job see
  bool log_grew = false;
  bool queued = false;  // it became QUEUED
  bool deleted = false;
};

// Thread-safe and quick.
class StoreChanges {
 public:
  virtual ~StoreChanges() = default;
  virtual void OnStoreChange(const StoreChange& change) = 0;
  // Changes may have been missed: look at everything again.
  virtual void OnStoreGap() = 0;
};

}  // namespace sasq

#endif  // SASQ_SERVER_STORE_CHANGES_H_
