#include "client/completion.h"

#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/substitute.h"

namespace sasq {
namespace {

// Names of the latest jobs. An argument stands for the program, so that its own path is used.
constexpr char kListJobs[] = "list --quiet --limit 100 --timeout 2s 2>/dev/null";

// Calls `visit` with each command and its path, such as `artifacts verify`, those above first.
void ForEachCommand(const CommandTree& tree, const std::string& path,
                    absl::FunctionRef<void(const CommandTree&, const std::string&)> visit) {
  for (const CommandTree& command : tree.commands) {
    const std::string below = path.empty() ? command.name : absl::StrCat(path, " ", command.name);
    visit(command, below);
    ForEachCommand(command, below, visit);
  }
}

// `text` between single quotes; `quote` is how the shell writes a quote in there.
std::string Quoted(absl::string_view text, absl::string_view quote) {
  return absl::StrCat("'", absl::StrReplaceAll(text, {{"'", quote}}), "'");
}

std::string NamesOf(const CommandTree& tree) {
  return absl::StrJoin(tree.commands, " ", [](std::string* out, const CommandTree& command) {
    absl::StrAppend(out, command.name);
  });
}

// ---- bash ----

constexpr char kBashEnd[] = R"bash(
# Sets `kind` to what completes the value of flag $$2 of command $$1, or to nothing if it takes none.
_sasq_value() {
  kind=
  case "$$1:$$2" in
$0  esac
}

_sasq() {
  local word=$${COMP_WORDS[COMP_CWORD]} program=$${COMP_WORDS[0]} command= kind= commands= flags= i
  for ((i = 1; i < COMP_CWORD; ++i)); do
    _sasq_value "$$command" "$${COMP_WORDS[i]}"
    if [[ -n $$kind ]]; then
      [[ $${COMP_WORDS[i + 1]} == '=' ]] && ((++i))
      ((++i))
    elif [[ " $2 " == *":$$command:$${COMP_WORDS[i]}:"* ]]; then
      command=$${command:+$$command }$${COMP_WORDS[i]}
    fi
  done
  if ((i == COMP_CWORD)); then
    kind=
    case "$$command" in
$1    esac
    [[ $$word == -* ]] && kind= commands="$3 $$flags"
  fi
  [[ $$word == '=' ]] && word=
  COMPREPLY=()
  case "$$kind" in
    =*) mapfile -t COMPREPLY < <(compgen -W "$${kind#=}" -- "$$word") ;;
    folder) mapfile -t COMPREPLY < <(compgen -d -- "$$word") ;;
    *file*) mapfile -t COMPREPLY < <(compgen -f -- "$$word") ;;
  esac
  [[ $$kind == *file* || $$kind == folder ]] && compopt -o filenames
  if [[ $$kind == job* ]]; then
    mapfile -t -O "$${#COMPREPLY[@]}" COMPREPLY < <(compgen -W "$$("$$program" $4)" -- "$$word")
  fi
  mapfile -t -O "$${#COMPREPLY[@]}" COMPREPLY < <(compgen -W "$$commands" -- "$$word")
}

complete -F _sasq sasq
)bash";

std::string BashKind(const CommandFlag& flag) {
  switch (KindOf(flag)) {
    case ValueKind::kChoice:
      return absl::StrCat("'=", absl::StrJoin(flag.choices, " "), "'");
    case ValueKind::kFile:
      return "file";
    case ValueKind::kFolder:
      return "folder";
    case ValueKind::kJob:
      return "job";
    case ValueKind::kJobOrFile:
      return "job-file";
    case ValueKind::kAny:
      return "any";
  }
  return "any";
}

std::string BashScript(const CommandTree& tree) {
  std::string values, words, paths;
  const auto add_values = [&values](const CommandTree& command, const std::string& path) {
    for (const CommandFlag& flag : command.flags) {
      if (flag.value.empty()) continue;
      const std::string prefix = path.empty() ? "*:" : absl::StrCat("'", path, "':");
      absl::StrAppend(&values, "    ", prefix,
                      absl::StrJoin(flag.names, absl::StrCat(" | ", prefix)),
                      ") kind=", BashKind(flag), " ;;\n");
    }
  };
  const auto flags_of = [](const CommandTree& command) {
    return absl::StrJoin(command.flags, " ", [](std::string* out, const CommandFlag& flag) {
      absl::StrAppend(out, flag.names.back());
    });
  };
  absl::StrAppend(&words, "      '') commands='", NamesOf(tree), "' ;;\n");
  ForEachCommand(tree, "", [&](const CommandTree& command, const std::string& path) {
    add_values(command, path);
    absl::StrAppend(&words, "      '", path, "') flags='", flags_of(command), "'", " commands='",
                    NamesOf(command), "'",
                    command.arguments.empty()
                        ? ""
                        : absl::StrCat(" kind=", BashKind(command.arguments.front())),
                    " ;;\n");
    const size_t last = path.rfind(' ');
    absl::StrAppend(&paths, " :", last == std::string::npos ? "" : path.substr(0, last), ":",
                    command.name, ":");
  });
  add_values(tree, "");  // the flags of every command, after those of one
  return absl::StrCat("# bash completion of sasq, made by `sasq completion bash`.\n",
                      absl::Substitute(kBashEnd, values, words, paths, flags_of(tree), kListJobs));
}

// ---- zsh ----

// What a zsh completion function sees as special in a description.
std::string ZshText(absl::string_view text) {
  return absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"[", "\\["}, {"]", "\\]"}, {":", "\\:"}});
}

std::string ZshAction(const CommandFlag& flag) {
  switch (KindOf(flag)) {
    case ValueKind::kChoice:
      return absl::StrCat("(", absl::StrJoin(flag.choices, " "), ")");
    case ValueKind::kFile:
      return "_files";
    case ValueKind::kFolder:
      return "_files -/";
    case ValueKind::kJob:
      return "_sasq_jobs";
    case ValueKind::kJobOrFile:
      return "_sasq_jobs_or_files";
    case ValueKind::kAny:
      return "";
  }
  return "";
}

// The specifications of a command's flags and arguments for _arguments, one a line.
std::string ZshSpecs(const CommandTree& command, absl::string_view indent) {
  std::string specs;
  for (const CommandFlag& flag : command.flags) {
    for (const std::string& name : flag.names) {
      const std::string value =
          flag.value.empty() ? "" : absl::StrCat(":", ZshText(flag.value), ":", ZshAction(flag));
      absl::StrAppend(&specs, indent,
                      Quoted(absl::StrCat(flag.may_repeat ? "*" : "", name, "[", ZshText(flag.help),
                                          "]", value),
                             R"('\'')"),
                      "\n");
    }
  }
  if (!command.commands.empty()) return specs;  // its first argument may be one of them
  for (const CommandFlag& argument : command.arguments) {
    absl::StrAppend(&specs, indent,
                    Quoted(absl::StrCat(argument.may_repeat ? "*" : "", ":",
                                        ZshText(argument.value), ":", ZshAction(argument)),
                           R"('\'')"),
                    "\n");
  }
  return specs;
}

// The function that completes a command, and those of the commands below it.
std::string ZshFunction(const CommandTree& command, const std::string& name) {
  std::string text, cases, list;
  for (const CommandTree& below : command.commands) {
    const std::string function = absl::StrCat(name, "_", below.name);
    absl::StrAppend(&text, ZshFunction(below, function));
    absl::StrAppend(&list, "    ",
                    Quoted(absl::StrCat(below.name, ":", ZshText(below.help)), R"('\'')"), "\n");
    absl::StrAppend(&cases, "        ", below.name, ") ", function, " ;;\n");
  }
  absl::StrAppend(&text, name, "() {\n");
  const std::string specs = ZshSpecs(command, "    ");
  const std::string globals = name == "_sasq" ? "" : "    $sasq_flags\n";
  if (command.commands.empty()) {
    return absl::StrCat(text, "  local -a specs=(\n", globals, specs,
                        "  )\n  _arguments $specs\n}\n\n");
  }
  absl::StrAppend(&text, "  local context state state_descr line\n  typeset -A opt_args\n",
                  name == "_sasq" ? "  local -a sasq_flags=(\n" : "  local -a specs=(\n", globals,
                  specs, "  )\n  local -a below=(\n", list, "  )\n  _arguments -C $",
                  name == "_sasq" ? "sasq_flags" : "specs",
                  " '1: :->command' '*:: :->rest'\n"
                  "  case $state in\n"
                  "    command) _describe command below",
                  command.arguments.empty() ? "" : "; _sasq_jobs", " ;;\n",
                  "    rest)\n      case $words[1] in\n", cases, "      esac ;;\n  esac\n}\n\n");
  return text;
}

std::string ZshScript(const CommandTree& tree) {
  return absl::StrCat("#compdef sasq\n# zsh completion of sasq, made by `sasq completion zsh`.\n\n",
                      "_sasq_jobs() {\n  local -a names=(${(f)\"$(sasq ", kListJobs,
                      ")\"})\n  compadd -a names\n}\n\n",
                      "_sasq_jobs_or_files() {\n  _sasq_jobs\n  _files\n}\n\n",
                      ZshFunction(tree, "_sasq"),
                      "if [[ $zsh_eval_context[-1] == loadautofunc ]]; then\n  _sasq \"$@\"\n"
                      "else\n  compdef _sasq sasq\nfi\n");
}

// ---- fish ----

std::string FishText(absl::string_view text) {
  return Quoted(absl::StrReplaceAll(text, {{"\\", "\\\\"}}), "\\'");
}

std::string FishAction(const CommandFlag& flag) {
  const std::string jobs = absl::StrCat("(sasq ", kListJobs, ")");
  switch (KindOf(flag)) {
    case ValueKind::kChoice:
      return absl::StrCat(" -a ", FishText(absl::StrJoin(flag.choices, " ")));
    case ValueKind::kFile:
      return " -F";
    case ValueKind::kFolder:
      return " -a '(__fish_complete_directories)'";
    case ValueKind::kJob:
      return absl::StrCat(" -a ", FishText(jobs));
    case ValueKind::kJobOrFile:
      return absl::StrCat(" -F -a ", FishText(jobs));
    case ValueKind::kAny:
      return "";
  }
  return "";
}

// Lines for what may be said where `condition` holds.
std::string FishLines(const CommandTree& command, const std::string& condition) {
  const std::string begin =
      absl::StrCat("complete -c sasq", condition.empty() ? "" : " -n ", condition);
  std::string lines;
  for (const CommandFlag& flag : command.flags) {
    absl::StrAppend(&lines, begin);
    for (absl::string_view name : flag.names) {
      const bool is_long = absl::StartsWith(name, "--");
      absl::StrAppend(&lines, is_long ? " -l " : " -s ", name.substr(is_long ? 2 : 1));
    }
    absl::StrAppend(&lines, flag.value.empty() ? "" : " -r",
                    flag.value.empty() ? "" : FishAction(flag), " -d ", FishText(flag.help), "\n");
  }
  if (!command.arguments.empty()) {
    absl::StrAppend(&lines, begin, FishAction(command.arguments.front()), "\n");
  }
  return lines;
}

std::string FishScript(const CommandTree& tree) {
  std::string script = absl::StrCat(
      "# fish completion of sasq, made by `sasq completion fish`.\ncomplete -c sasq -f\n",
      FishLines(tree, ""));
  for (const CommandTree& command : tree.commands) {
    absl::StrAppend(&script, "complete -c sasq -n __fish_use_subcommand -a ", command.name, " -d ",
                    FishText(command.help), "\n");
    const std::string seen = absl::StrCat("__fish_seen_subcommand_from ", command.name);
    const std::string names = NamesOf(command);
    const std::string none_below =
        names.empty() ? seen : absl::StrCat(seen, "; and not __fish_seen_subcommand_from ", names);
    absl::StrAppend(&script, FishLines(command, FishText(none_below)));
    for (const CommandTree& below : command.commands) {
      absl::StrAppend(
          &script, "complete -c sasq -n ", FishText(none_below), " -a ", below.name, " -d ",
          FishText(below.help), "\n",
          FishLines(below, FishText(absl::StrCat(seen, "; and __fish_seen_subcommand_from ",
                                                 below.name))));
    }
  }
  return script;
}

}  // namespace

std::string CompletionScript(const CommandTree& tree, Shell shell) {
  switch (shell) {
    case Shell::kBash:
      return BashScript(tree);
    case Shell::kZsh:
      return ZshScript(tree);
    case Shell::kFish:
      return FishScript(tree);
  }
  return "";
}

}  // namespace sasq
