// `sasqd token ...`: what an operator does to the tokens file.
#ifndef SASQ_SERVER_TOKEN_COMMAND_H_
#define SASQ_SERVER_TOKEN_COMMAND_H_

#include <string>

#include "absl/status/statusor.h"

namespace CLI {
class App;
}  // namespace CLI

namespace sasq {

// What the command line asked for.
struct TokenCommand {
  std::string tokens_file;
  std::string id;
  std::string tenant;
  std::string role;
  std::string description;
  std::string expires_in = "inf";
  std::string grace = "24h";
  std::string after = "0";
};

// Adds the command to the program's command line.
void AddTokenCommand(CLI::App& app, TokenCommand& command);

// Whether the parsed command line has it.
bool IsTokenCommand(const CLI::App& app);

// Does what was asked for. Returns what goes to standard output. INVALID_ARGUMENT for a wrong flag,
// otherwise as token_admin.h.
absl::StatusOr<std::string> RunTokenCommand(const CLI::App& app, const TokenCommand& command);

}  // namespace sasq

#endif  // SASQ_SERVER_TOKEN_COMMAND_H_
