#include "client/command_tree.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"

namespace sasq {
namespace {

// The values that a name such as `json|yaml` lists. Names of kinds, such as `JOB|DIR`, are upper
// case.
std::vector<std::string> ReadChoices(const std::string& value) {
  const bool is_list =
      !value.empty() && std::none_of(value.begin(), value.end(), absl::ascii_isupper);
  return is_list ? std::vector<std::string>(absl::StrSplit(value, '|'))
                 : std::vector<std::string>();
}

CommandFlag ReadFlag(const CLI::Option& option) {
  CommandFlag flag;
  for (const std::string& name : option.get_snames()) flag.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) flag.names.push_back("--" + name);
  if (option.get_type_size() > 0) flag.value = option.get_type_name();
  flag.choices = ReadChoices(flag.value);
  flag.help = option.get_description();
  flag.is_required = option.get_required();
  flag.may_repeat = option.get_expected_max() > 1;
  return flag;
}

}  // namespace

ValueKind KindOf(const CommandFlag& flag) {
  if (!flag.choices.empty()) return ValueKind::kChoice;
  const bool is_job = absl::StrContains(flag.value, "JOB");
  if (flag.value == "JOB") return ValueKind::kJob;
  if (is_job || flag.value == "A B|FILE") return ValueKind::kJobOrFile;
  if (flag.value == "DIR" || flag.value == "SOURCE") return ValueKind::kFolder;
  return flag.value == "FILE" || flag.value == "PEM" ? ValueKind::kFile : ValueKind::kAny;
}

CommandTree ReadCommandTree(const CLI::App& app) {
  CommandTree tree;
  tree.name = app.get_name();
  tree.help = app.get_description();
  tree.footer = app.get_footer();
  for (const CLI::Option* option : app.get_options()) {
    // Every command knows --help; it is told once.
    if (option == app.get_help_ptr() && app.get_parent() != nullptr) continue;
    CommandFlag flag = ReadFlag(*option);
    if (!flag.names.empty()) tree.flags.push_back(flag);
    if (!option->get_positional()) continue;
    flag.names.clear();
    tree.arguments.push_back(std::move(flag));
  }
  for (const CLI::App* command : app.get_subcommands({})) {
    tree.commands.push_back(ReadCommandTree(*command));
  }
  return tree;
}

}  // namespace sasq
