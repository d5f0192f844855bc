// How far one file is on its way, as a line at the bottom of a terminal.
#ifndef SASQ_CLIENT_COMMANDS_TRANSFER_BAR_H_
#define SASQ_CLIENT_COMMANDS_TRANSFER_BAR_H_

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "client/commands/command.h"
#include "client/live_region.h"
#include "common/clock.h"

namespace sasq {

// Draws on standard error if that is a terminal. Thread-compatible.
class TransferBar {
 public:
  TransferBar(const CommandContext& context, std::string name, int64_t size_bytes);

  // `bytes` of the file are there.
  void Update(int64_t bytes);
  // A line that stays.
  void Note(const std::string& line);

 private:
  const CommandContext& context_;
  const std::string name_;
  const int64_t size_bytes_;
  const bool is_live_;
  const Stopwatch stopwatch_;
  LiveRegion region_;
  int64_t first_bytes_ = -1;  // of the first update; negative before it
  absl::Time drawn_ = absl::InfinitePast();
};

}  // namespace sasq

#endif  // SASQ_CLIENT_COMMANDS_TRANSFER_BAR_H_
