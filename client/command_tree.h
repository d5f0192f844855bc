// What there is to say on the command line, as data: the one source of completions and the manual.
#ifndef SASQ_CLIENT_COMMAND_TREE_H_
#define SASQ_CLIENT_COMMAND_TREE_H_

#include <string>
#include <vector>

namespace CLI {
class App;
}  // namespace CLI

namespace sasq {

// A flag, or an argument by position, which has no names.
struct CommandFlag {
  std::vector<std::string> names;    // with dashes, the long ones last
  std::string value;                 // what the help calls its value; empty: it takes none
  std::vector<std::string> choices;  // the values there are; empty: any
  std::string help;
  bool is_required = false;
  bool may_repeat = false;
};

// What completes a value.
enum class ValueKind { kChoice, kFile, kFolder, kJob, kJobOrFile, kAny };
ValueKind KindOf(const CommandFlag& flag);

struct CommandTree {
  std::string name;  // of the command alone
  std::string help;
  std::string footer;  // lines
  std::vector<CommandFlag> flags, arguments;
  std::vector<CommandTree> commands;
};

CommandTree ReadCommandTree(const CLI::App& app);

}  // namespace sasq

#endif  // SASQ_CLIENT_COMMAND_TREE_H_
