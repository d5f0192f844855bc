#include "client/markdown_manual.h"

#include <algorithm>
#include <map>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "client/exit_code.h"

namespace sasq {
namespace {

using Flags = std::vector<CommandFlag>;
using Fields = std::map<std::string, std::string>;  // of the spec, by flag

constexpr char kSpecCommand[] = "plan";  // all of its flags are about a spec

// In a cell, where a bar would end it, also within code.
std::string Code(absl::string_view text) {
  return absl::StrCat("`", absl::StrReplaceAll(text, {{"|", "\\|"}}), "`");
}
std::string Text(absl::string_view text) {
  return absl::StrReplaceAll(text, {{"|", "\\|"}, {"<", "&lt;"}, {"*", "\\*"}});
}

void AppendLines(absl::string_view lines, std::string* page) {
  absl::StrAppend(page, "\n```text\n", lines, "\n```\n");
}

// `arguments` and `flags` in one table. A column of fields is there if one of the flags has one.
void AppendTable(const Flags& arguments, const Flags& flags, const Fields& fields,
                 std::string* page) {
  if (arguments.empty() && flags.empty()) return;
  const auto field_of = [&fields](const CommandFlag& flag) {
    const auto found = flag.names.empty() ? fields.end() : fields.find(flag.names.back());
    return found == fields.end() ? std::string() : Code(found->second);
  };
  const bool has_fields = std::any_of(
      flags.begin(), flags.end(), [&](const CommandFlag& flag) { return !field_of(flag).empty(); });
  absl::StrAppend(page, "\n| flag | meaning |", has_fields ? " field |" : "", "\n|---|---|",
                  has_fields ? "---|" : "", "\n");
  for (const Flags* rows : {&arguments, &flags}) {
    for (const CommandFlag& flag : *rows) {
      std::string name = absl::StrJoin(flag.names, ", ");
      if (!flag.value.empty()) absl::StrAppend(&name, name.empty() ? "" : " ", flag.value);
      const bool says_repeat = absl::StrContains(absl::AsciiStrToLower(flag.help), "be repeated");
      absl::StrAppend(
          page, "| ", Code(name), " | ", Text(flag.help),
          flag.may_repeat && !flag.names.empty() && !says_repeat ? "; may be repeated" : "",
          flag.is_required ? "; required" : "", " |");
      if (has_fields) absl::StrAppend(page, " ", field_of(flag), " |");
      absl::StrAppend(page, "\n");
    }
  }
}

bool IsIn(const CommandFlag& flag, const Flags& flags) {
  return std::any_of(flags.begin(), flags.end(), [&flag](const CommandFlag& other) {
    return other.names == flag.names && other.help == flag.help;
  });
}

// `above`: the words before the name of the command.
void AppendCommand(const CommandTree& command, const std::string& above, const Flags& spec_flags,
                   std::string* page) {
  const std::string path = absl::StrCat(above, " ", command.name);
  std::string synopsis = path;
  for (const CommandFlag& argument : command.arguments) {
    absl::StrAppend(&synopsis, argument.is_required ? " " : " [", argument.value,
                    argument.is_required ? "" : "]");
  }
  absl::StrAppend(page, "\n### ", path, "\n`", synopsis, "`: ", Text(command.help), ".");
  Flags own;
  for (const CommandFlag& flag : command.flags) {
    if (!IsIn(flag, spec_flags)) own.push_back(flag);
  }
  const bool takes_spec = own.size() < command.flags.size();
  if (takes_spec) absl::StrAppend(page, " Takes the [flags of a spec](#flags-of-a-spec).");
  absl::StrAppend(page, "\n");
  AppendTable(command.arguments, own, {}, page);
  for (const CommandTree& below : command.commands) AppendCommand(below, path, spec_flags, page);
}

}  // namespace

std::string MarkdownManual(const CommandTree& tree, absl::Span<const SpecFlag> spec_flags) {
  Fields fields;
  for (const SpecFlag& flag : spec_flags) fields[flag.flag] = flag.path;
  const auto spec_command =
      std::find_if(tree.commands.begin(), tree.commands.end(),
                   [](const CommandTree& command) { return command.name == kSpecCommand; });
  const CommandTree with_spec = spec_command == tree.commands.end() ? CommandTree() : *spec_command;

  std::string summary(absl::StripPrefix(tree.help, absl::StrCat(tree.name, ": ")));
  if (!summary.empty()) summary[0] = absl::ascii_toupper(summary[0]);
  std::string page =
      absl::StrCat("# ", tree.name, ": reference of the command line\n", Text(summary), "\n");
  AppendLines(tree.footer, &page);
  absl::StrAppend(&page, "\n## Flags of every command\nBefore or after its name.\n");
  AppendTable({}, tree.flags, {}, &page);
  if (!with_spec.flags.empty()) {
    absl::StrAppend(&page, "\n## Flags of a spec\nOf every command that takes a spec.\n");
    AppendTable({}, with_spec.flags, fields, &page);
    AppendLines(with_spec.footer, &page);
  }
  absl::StrAppend(&page, "\n## Commands\n");
  for (const CommandTree& command : tree.commands) {
    AppendCommand(command, tree.name, with_spec.flags, &page);
  }
  absl::StrAppend(&page, "\n## Exit codes\n\n| code | means |\n|---|---|\n");
  for (const ExitCodeMeaning& exit : ExitCodeMeanings()) {
    absl::StrAppend(&page, "| ", static_cast<int>(exit.code), " | ", Text(exit.meaning), " |\n");
  }
  return page;
}

}  // namespace sasq
