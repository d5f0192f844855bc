#include "client/man_page.h"

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace sasq {
namespace {

// Text that roff shows as it is: hyphens stay ASCII, and no line begins with a request.
std::string Text(absl::string_view text) {
  const std::string escaped = absl::StrReplaceAll(text, {{"\\", "\\e"},
                                                         {"-", "\\-"},
                                                         {"'", "\\(aq"},
                                                         {"`", "\\(ga"},
                                                         {"~", "\\(ti"},
                                                         {"^", "\\(ha"}});
  return absl::StartsWith(escaped, ".") ? absl::StrCat("\\&", escaped) : escaped;
}

std::string Bold(absl::string_view text) { return absl::StrCat("\\fB", Text(text), "\\fR"); }
std::string Italic(absl::string_view text) { return absl::StrCat("\\fI", Text(text), "\\fR"); }

void AppendFlags(const std::vector<CommandFlag>& flags, std::string* page) {
  for (const CommandFlag& flag : flags) {
    absl::StrAppend(page, ".TP\n");
    absl::string_view separator = "";
    for (const std::string& name : flag.names) {
      absl::StrAppend(page, separator, Bold(name));
      separator = ", ";
    }
    absl::StrAppend(page, flag.names.empty() || flag.value.empty() ? "" : " ",
                    flag.value.empty() ? "" : Italic(flag.value), "\n", Text(flag.help), ".\n");
  }
}

// Lines as they are.
void AppendLines(absl::string_view lines, std::string* page) {
  absl::StrAppend(page, ".PP\n.nf\n");
  for (absl::string_view line : absl::StrSplit(lines, '\n'))
    absl::StrAppend(page, Text(line), "\n");
  absl::StrAppend(page, ".fi\n");
}

void AppendCommand(const CommandTree& command, const std::string& above, std::string* page) {
  const std::string path = absl::StrCat(above, " ", command.name);
  std::string synopsis = Bold(path);
  for (const CommandFlag& argument : command.arguments) {
    absl::StrAppend(&synopsis, argument.is_required ? " " : " [", Italic(argument.value),
                    argument.is_required ? "" : "]");
  }
  absl::StrAppend(page, ".SS ", Text(path.substr(path.find(' ') + 1)), "\n", synopsis, "\n.PP\n",
                  Text(command.help), ".\n");
  AppendFlags(command.arguments, page);
  AppendFlags(command.flags, page);
  for (const CommandTree& below : command.commands) AppendCommand(below, path, page);
}

}  // namespace

std::string ManPage(const CommandTree& tree, absl::string_view version) {
  absl::string_view summary = tree.help;
  absl::ConsumePrefix(&summary, absl::StrCat(tree.name, ": "));
  absl::ConsumeSuffix(&summary, ".");
  std::string page = absl::StrCat(
      ".TH SASQ 1 \"\" \"sasq ", Text(version), "\" \"SASQ service\"\n", ".SH NAME\n", tree.name,
      " \\- ", Text(summary), "\n", ".SH SYNOPSIS\n", Bold(tree.name), " ", Italic("COMMAND"), " [",
      Italic("FLAG"), "]... [", Italic("ARGUMENT"), "]...\n", ".SH DESCRIPTION\n");
  AppendLines(tree.footer, &page);
  absl::StrAppend(&page, ".SH FLAGS OF EVERY COMMAND\n");
  AppendFlags(tree.flags, &page);
  absl::StrAppend(&page, ".SH COMMANDS\n");
  for (const CommandTree& command : tree.commands) AppendCommand(command, tree.name, &page);
  for (const CommandTree& command : tree.commands) {
    if (command.name != "submit") continue;
    absl::StrAppend(&page, ".SH SPECS\n");
    AppendLines(command.footer, &page);
  }
  return page;
}

}  // namespace sasq
