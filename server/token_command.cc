#include "server/token_command.h"

#include <CLI/CLI.hpp>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/status_macros.h"
#include "server/access/token_admin.h"

namespace sasq {
namespace {

constexpr char kToken[] = "token";

CLI::App* AddSubcommand(CLI::App* token, TokenCommand& command, const char* name,
                        const char* help) {
  CLI::App* added = token->add_subcommand(name, help);
  added->add_option("--tokens", command.tokens_file, "the tokens file, as of sasqd --tokens")
      ->required();
  return added;
}

absl::StatusOr<absl::Duration> ReadDuration(const char* flag, const std::string& text,
                                            absl::Duration least) {
  absl::Duration duration;
  if (absl::ParseDuration(text, &duration) && duration >= least) return duration;
  return absl::InvalidArgumentError(absl::StrCat(flag, " is \"", text,
                                                 "\", want a duration such as 720h, at least ",
                                                 absl::FormatDuration(least)));
}

absl::StatusOr<std::string> Add(const TokenCommand& command, absl::Time now) {
  NewTokenOptions options;
  options.tenant = command.tenant;
  options.description = command.description;
  SASQ_ASSIGN_OR_RETURN(options.role, ParseRole(command.role));
  SASQ_ASSIGN_OR_RETURN(options.lifetime,
                        ReadDuration("--expires_in", command.expires_in, absl::Seconds(1)));
  SASQ_ASSIGN_OR_RETURN(const std::string token, AddToken(command.tokens_file, options, now));
  return token + "\n";
}

absl::StatusOr<std::string> Rotate(const TokenCommand& command, absl::Time now) {
  SASQ_ASSIGN_OR_RETURN(const absl::Duration grace,
                        ReadDuration("--grace", command.grace, absl::ZeroDuration()));
  SASQ_ASSIGN_OR_RETURN(const std::string token,
                        RotateToken(command.tokens_file, command.id, grace, now));
  return token + "\n";
}

absl::StatusOr<std::string> Revoke(const TokenCommand& command, absl::Time now) {
  SASQ_ASSIGN_OR_RETURN(const absl::Duration after,
                        ReadDuration("--after", command.after, absl::ZeroDuration()));
  SASQ_RETURN_IF_ERROR(ExpireToken(command.tokens_file, command.id, now + after));
  return std::string();
}

}  // namespace

void AddTokenCommand(CLI::App& app, TokenCommand& command) {
  CLI::App* token = app.add_subcommand(kToken, "make, list, rotate and revoke bearer tokens");
  token->require_subcommand(1);
  CLI::App* add = AddSubcommand(token, command, "add", "make a token and print it, this once");
  add->add_option("--tenant", command.tenant, "whose jobs it is for")->required();
  add->add_option("--role", command.role, "viewer, submitter, worker or admin")->required();
  add->add_option("--description", command.description, "what it is for");
  add->add_option("--expires_in", command.expires_in, "how long it is valid; inf: until revoked")
      ->capture_default_str();
  AddSubcommand(token, command, "list", "show every token but its secret");
  CLI::App* rotate = AddSubcommand(
      token, command, "rotate", "make a token in the place of another one and print it, this once");
  rotate->add_option("id", command.id, "of the old token, as `list` shows it")->required();
  rotate->add_option("--grace", command.grace, "how long the old one stays valid")
      ->capture_default_str();
  CLI::App* revoke = AddSubcommand(token, command, "revoke", "let a token be refused");
  revoke->add_option("id", command.id, "of the token, as `list` shows it")->required();
  revoke->add_option("--after", command.after, "not at once but after this")->capture_default_str();
}

bool IsTokenCommand(const CLI::App& app) { return app.got_subcommand(kToken); }

absl::StatusOr<std::string> RunTokenCommand(const CLI::App& app, const TokenCommand& command) {
  const absl::Time now = absl::Now();
  const std::string chosen = app.get_subcommand(kToken)->get_subcommands().front()->get_name();
  if (chosen == "add") return Add(command, now);
  if (chosen == "rotate") return Rotate(command, now);
  if (chosen == "revoke") return Revoke(command, now);
  return ListTokens(command.tokens_file, now);
}

}  // namespace sasq
