// What every command is given, and the pieces that several of them share.
#ifndef SASQ_CLIENT_COMMANDS_COMMAND_H_
#define SASQ_CLIENT_COMMANDS_COMMAND_H_

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "client/exit_code.h"
#include "client/options.h"
#include "client/reconnect.h"
#include "client/service_client.h"
#include "client/terminal.h"
#include "common/clock.h"

namespace google::protobuf {
class Message;
class Timestamp;
}  // namespace google::protobuf

namespace sasq {

// The surroundings of a command. Everything outlives it.
struct CommandContext {
  const GlobalOptions& globals;
  Console& console;
  ServiceClient& client;
  const Clock& clock;

  bool wants_table() const { return globals.output == OutputFormat::kTable; }
  // Writes a message to standard output as JSON or YAML.
  void PrintMessage(const google::protobuf::Message& message) const;
  // For streams of this command.
  Reconnector MakeReconnector(std::function<void(const std::string&)> note,
                              absl::Time deadline = absl::InfiniteFuture()) const;
};

// `2025-01-31 14:03:22` in the local time zone.
std::string TimeText(const google::protobuf::Timestamp& time);
absl::Time ToTime(const google::protobuf::Timestamp& time);

// The color in which a state is shown.
TextColor ColorOf(v1::JobState state);

// Watches the job until it ended, showing what it does, and prints its result. The exit code is
// that of the job's end. When the wait ends first (interrupted, timed out, connection lost for
// good) it says that the job lives on.
absl::StatusOr<ExitCode> FollowToResult(const CommandContext& context, const std::string& job_name,
                                        absl::Time deadline = absl::InfiniteFuture());

// Watches the job until it ended, showing what it does, and returns it.
absl::StatusOr<v1::Job> FollowWithView(const CommandContext& context, const std::string& job_name,
                                       absl::Time deadline);

}  // namespace sasq

#endif  // SASQ_CLIENT_COMMANDS_COMMAND_H_
