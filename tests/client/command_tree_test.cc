// The command line as data, and what is made of it; tests/e2e/test_terminal.py asks real shells.
#include "client/command_tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <type_traits>

#include "client/command_line.h"
#include "client/completion.h"
#include "client/man_page.h"
#include "client/markdown_manual.h"
#include "client/spec_flags.h"

namespace sasq {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

template <typename List>
const typename List::value_type& Named(const List& list, const std::string& name) {
  return *std::find_if(list.begin(), list.end(), [&name](const auto& entry) {
    if constexpr (std::is_same_v<typename List::value_type, CommandTree>) {
      return entry.name == name;
    } else {
      return entry.names.back() == name;
    }
  });
}

void CheckHelp(const CommandTree& tree) {
  EXPECT_THAT(tree.help, Not(IsEmpty())) << tree.name;
  for (const auto* flags : {&tree.flags, &tree.arguments}) {
    for (const CommandFlag& flag : *flags) EXPECT_THAT(flag.help, Not(IsEmpty())) << tree.name;
  }
  for (const CommandTree& command : tree.commands) CheckHelp(command);
}

TEST(CommandTreeTest, IsTheWholeCommandLine) {
  const CommandTree tree = DescribeCommandLine();
  CheckHelp(tree);
  EXPECT_EQ(tree.name, "sasq");
  const CommandFlag& output = Named(tree.flags, "--output");
  EXPECT_THAT(output.names, ElementsAre("-o", "--output"));
  EXPECT_THAT(output.choices, ElementsAre("json", "markdown", "table", "yaml"));
  EXPECT_EQ(Named(tree.flags, "--quiet").value, "");
  const CommandTree& submit = Named(tree.commands, "submit");
  EXPECT_EQ(KindOf(Named(submit.flags, "--spec")), ValueKind::kFile);
  EXPECT_EQ(KindOf(submit.arguments.at(0)), ValueKind::kFile);
  EXPECT_TRUE(Named(submit.flags, "--baseline").may_repeat);
  EXPECT_EQ(KindOf(Named(submit.flags, "--baseline")), ValueKind::kAny);
  const CommandTree& verify = Named(Named(tree.commands, "artifacts").commands, "verify");
  EXPECT_EQ(KindOf(verify.arguments.at(0)), ValueKind::kJobOrFile);
  EXPECT_TRUE(verify.arguments.at(0).is_required);
  EXPECT_EQ(KindOf(Named(verify.flags, "--model")), ValueKind::kFolder);
  EXPECT_EQ(Named(Named(tree.commands, "list").flags, "--limit").value, "N");
}

TEST(CompletionTest, EveryScriptKnowsEveryCommand) {
  const CommandTree tree = DescribeCommandLine();
  for (const Shell shell : {Shell::kBash, Shell::kZsh, Shell::kFish}) {
    const std::string script = CompletionScript(tree, shell);
    for (const CommandTree& command : tree.commands) EXPECT_THAT(script, HasSubstr(command.name));
  }
}

TEST(ManPageTest, EscapesWhatRoffWouldRead) {
  CommandTree tree;
  tree.name = "sasq";
  tree.help = "sasq: a test.";
  tree.footer = ".so /etc/passwd\na \\ and `--flag'";
  const std::string page = ManPage(tree, "1.0");
  EXPECT_THAT(page, HasSubstr("sasq \\- a test\n"));
  EXPECT_THAT(page, HasSubstr("\n\\&.so /etc/passwd\n"));
  EXPECT_THAT(page, HasSubstr("\na \\e and \\(ga\\-\\-flag\\(aq\n"));
}

TEST(MarkdownManualTest, TellsTheFlagsOfASpecOnceWithTheirFields) {
  const std::string page = MarkdownManual(DescribeCommandLine(), SpecFlags());
  EXPECT_THAT(page, HasSubstr("| `--steps N` | Training steps | `recipe.training.step_count` |\n"));
  EXPECT_EQ(page.find("`--steps N`"), page.rfind("`--steps N`"));
  EXPECT_THAT(page, HasSubstr("\n### sasq artifacts verify\n`sasq artifacts verify JOB|DIR`: "));
  EXPECT_THAT(page, HasSubstr("| `-w, --wait` | Until it has ended |\n"));
  EXPECT_THAT(page, HasSubstr("\n| 124 | `wait --timeout` ran out; the job lives on |\n"));
}

TEST(MarkdownManualTest, EscapesWhatWouldEndACell) {
  CommandTree tree;
  tree.name = "sasq";
  tree.help = "sasq: a test.";
  CommandFlag output;
  output.names = {"-o", "--output"};
  output.value = "json|yaml";
  output.help = "a|b of <c>";
  tree.flags = {output};
  EXPECT_THAT(MarkdownManual(tree, {}),
              HasSubstr("| `-o, --output json\\|yaml` | a\\|b of &lt;c> |\n"));
}

}  // namespace
}  // namespace sasq
