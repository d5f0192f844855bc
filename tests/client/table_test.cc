#include "client/table.h"

#include <gtest/gtest.h>

namespace sasq {
namespace {

Table Jobs() {
  Table table({{"job"},
               {"name", Table::Align::kLeft, /*may_shrink=*/true},
               {"time", Table::Align::kRight}});
  table.AddRow({std::string("0a1b"), std::string("a long name of a job"), std::string("3m12s")});
  table.AddRow({std::string("ff00"), std::string("模型"), std::string("4.2s")});
  return table;
}

TEST(TableTest, AlignsColumns) {
  EXPECT_EQ(Jobs().Render(TextStyle(), 80),
            "job   name                   time\n"
            "---------------------------------\n"
            "0a1b  a long name of a job  3m12s\n"
            "ff00  模型                   4.2s\n");
}

TEST(TableTest, DrawsBoxCharactersOnlyWhereTheyCanBeShown) {
  EXPECT_NE(Jobs().Render({.utf8 = true, .color = false}, 80).find("───"), std::string::npos);
  EXPECT_EQ(Jobs().Render(TextStyle(), 80).find("─"), std::string::npos);
}

TEST(TableTest, CutsTheColumnThatMayShrink) {
  EXPECT_EQ(Jobs().Render(TextStyle(), 25),
            "job   name           time\n"
            "-------------------------\n"
            "0a1b  a long name~  3m12s\n"
            "ff00  模型           4.2s\n");
}

TEST(TableTest, KeepsWhatCannotShrinkWhole) {
  Table table({{"sha256"}});
  table.AddRow({std::string(64, 'a')});
  EXPECT_NE(table.Render(TextStyle(), 20).find(std::string(64, 'a')), std::string::npos);
}

TEST(TableTest, CleansCells) {
  Table table({{"name"}});
  table.AddRow({std::string("evil\x1b[2J\nname")});
  EXPECT_EQ(table.Render(TextStyle(), 80), "name\n-------------\nevil\uFFFD[2J name\n");
}

TEST(TableTest, ColorsDoNotMoveColumns) {
  Table table({{"state"}, {"n", Table::Align::kRight}});
  table.AddRow({{"failed", TextColor::kRed}, std::string("1")});
  EXPECT_EQ(table.Render({.utf8 = false, .color = true}, 80),
            "\x1b[1mstate \x1b[0m  \x1b[1mn\x1b[0m\n\x1b[2m---------\x1b[0m\n"
            "\x1b[31mfailed\x1b[0m  1\n");
}

TEST(RenderKeyValuesTest, AlignsKeysAndCleansValues) {
  EXPECT_EQ(RenderKeyValues({{"job", std::string("jobs/1")}, {"state", std::string("a\rb")}},
                            TextStyle()),
            "job    jobs/1\nstate  a\uFFFDb\n");
}

}  // namespace
}  // namespace sasq
