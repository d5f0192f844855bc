#include "quant/text/text_source.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "common/file.h"
#include "common/sha256.h"
#include "quant/text/tokenizer.h"
#include "tests/quant/status_matchers.h"
#include "tests/support/temporary_folder.h"

namespace sasq {
namespace {

TEST(TextSourceTest, PlainTextStaysAsItIs) {
  TemporaryFolder folder;
  const std::string content = " \r\nZeile eins\n\n\nZeile 2 €";
  EXPECT_EQ(LoadText(folder.Write("t", content), TextLayout::kPlain)->text, content);
}

TEST(TextSourceTest, WikitextRowsAreJoinedByTwoNewlines) {
  // As the published file begins: blank lines are " \n", the others have a space at both ends.
  EXPECT_EQ(JoinWikitextRows(" \n = Title = \n \n Some text . \n"),
            "\n\n = Title = \n\n\n\n\n Some text . \n");
  EXPECT_EQ(JoinWikitextRows("a\n"), "a\n");
  EXPECT_EQ(JoinWikitextRows("a"), "a");
  EXPECT_EQ(JoinWikitextRows("\n\na\n"), "\n\n\n\na\n");
  EXPECT_EQ(JoinWikitextRows(""), "");
  TemporaryFolder folder;
  const auto rows = LoadText(folder.Write("t", "a\n \nb\n"), TextLayout::kWikitextRows);
  EXPECT_EQ(rows->text, "a\n\n\n\n\nb\n");
  EXPECT_EQ(rows->file_sha256, Sha256Hex("a\n \nb\n"));
}

TEST(TextSourceTest, JsonLinesAreJoinedByTwoNewlines) {
  const std::string rows = R"({"id": 1, "text": "one", "body": "eins"}

{"body": "zwei\n", "text": "two"}
{"text": "", "body": "drei"})";
  EXPECT_EQ(*JoinJsonLines(rows, "text", "rows"), "one\n\ntwo\n\n");
  EXPECT_EQ(*JoinJsonLines(rows, "body", "rows"), "eins\n\nzwei\n\n\ndrei");
  TemporaryFolder folder;
  const auto loaded = LoadText(folder.Write("t", rows), TextLayout::kJsonLines, "body");
  EXPECT_EQ(loaded->text, "eins\n\nzwei\n\n\ndrei");
  EXPECT_EQ(loaded->file_sha256, Sha256Hex(rows));
}

TEST(TextSourceTest, RefusesWrongJsonLines) {
  EXPECT_TRUE(
      IsInvalid(JoinJsonLines("{\"text\": \"a\"}\n[1]", "text", "rows"), "INVALID_TEXT", "rows:2"));
  EXPECT_TRUE(IsInvalid(JoinJsonLines("{\"a\": 1}", "text", "rows"), "INVALID_TEXT", "rows:1"));
  EXPECT_TRUE(IsInvalid(JoinJsonLines("{\"text\": 1}", "text", "rows"), "INVALID_TEXT", "text"));
  EXPECT_TRUE(IsInvalid(JoinJsonLines("\n", "text", "rows"), "INVALID_TEXT", "rows is empty"));
}

TEST(TextSourceTest, RefusesWhatIsNotAText) {
  TemporaryFolder folder;
  const auto load = [](const std::string& path) { return LoadText(path, TextLayout::kPlain); };
  EXPECT_TRUE(IsInvalid(load("/no/such/text"), "INVALID_TEXT", "/no/such/text"));
  EXPECT_TRUE(IsInvalid(load(folder.path()), "INVALID_TEXT", "is not a regular file"));
  EXPECT_TRUE(IsInvalid(load(folder.Write("empty", "")), "INVALID_TEXT", "/empty has 0 bytes"));
  EXPECT_TRUE(IsInvalid(load(folder.Write("blank", " \n\t\n")), "INVALID_TEXT", "whitespace"));
  EXPECT_TRUE(IsInvalid(load(folder.Write("latin1",
                                          "Stra\xdf"
                                          "e")),
                        "INVALID_TEXT", "/latin1 is not UTF-8: byte 4 (0xdf)"));
}

TEST(TextSourceTest, Wikitext2AsPublished) {
  const char* folder = std::getenv("SASQ_WIKITEXT2_DIR");
  if (folder == nullptr) GTEST_SKIP() << "SASQ_WIKITEXT2_DIR is not set";
  const std::string path = std::string(folder) + "/wiki.test.raw";
  const auto plain = LoadText(path, TextLayout::kPlain);
  ASSERT_TRUE(plain.ok()) << plain.status();
  EXPECT_EQ(plain->file_sha256, "173c87a53759e0201f33e0ccf978e510c2042d7f2cb78229d9a50d79b9e7dd08");
  const auto rows = LoadText(path, TextLayout::kWikitextRows);
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_EQ(rows->text.substr(0, 28), "\n\n = Robert Boulter = \n\n\n\n\n ");
  // 4,358 rows: 1,467 blank lines of two bytes vanish, 4,357 joints of two bytes appear.
  EXPECT_EQ(rows->text.size(), plain->text.size() - 2 * 1467 + 2 * 4357);
}

}  // namespace
}  // namespace sasq
