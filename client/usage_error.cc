#include "client/usage_error.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/nearest_name.h"

namespace sasq {
namespace {

// What is wrong with a command line that CLI11 refused. `chosen`: the command, null if there is
// none.
std::string Problem(const CLI::ParseError& error, const CLI::App& app, const CLI::App* chosen) {
  const std::vector<std::string> words = app.remaining(/*recurse=*/true);
  const auto flag = std::find_if(words.begin(), words.end(), [](const std::string& word) {
    return absl::StartsWith(word, "-");
  });
  if (flag != words.end()) {
    std::vector<std::string> names;
    for (const CLI::App* owner : {chosen, &app}) {
      if (owner == nullptr) continue;
      for (const CLI::Option* option : owner->get_options()) {
        for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
      }
    }
    return absl::StrCat("there is no flag ", *flag, DidYouMean(*flag, names));
  }
  if (chosen == nullptr && words.empty()) return "no command was given";
  if (chosen == nullptr) {
    std::vector<std::string> names;
    for (const CLI::App* command : app.get_subcommands({})) names.push_back(command->get_name());
    return absl::StrCat("there is no command ", words.front(), DidYouMean(words.front(), names));
  }
  return words.empty() ? error.what() : absl::StrCat("unexpected argument ", words.front());
}

}  // namespace

absl::Status UsageError(const CLI::ParseError& error, const CLI::App& app) {
  const CLI::App* chosen = nullptr;  // the lowest command that was named
  std::string path;
  for (const CLI::App* level = &app; !level->get_subcommands().empty(); level = chosen) {
    chosen = level->get_subcommands()[0];
    absl::StrAppend(&path, chosen->get_name(), " ");
  }
  const std::string problem = Problem(error, app, chosen);
  const absl::string_view end = absl::EndsWith(problem, "?") ? " See" : "; see";
  return absl::InvalidArgumentError(absl::StrCat(problem, end, " `sasq ", path, "--help`"));
}

}  // namespace sasq
