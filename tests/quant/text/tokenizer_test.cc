#include "quant/text/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "tests/quant/status_matchers.h"
#include "tests/support/temporary_folder.h"

// Equality with the reference on whole texts is tokenizer_parity.py's business; here are the errors
// and the rules in small.
namespace sasq {
namespace {

using nlohmann::json;
using testing::ElementsAre;

// "ab", "abc" and "Ġa" merge; GPT-2's pre-tokenizer.
json SmallTokenizer() {
  return json::parse(R"({
    "added_tokens": [{"id": 7, "content": "<e>", "special": true, "normalized": false}],
    "normalizer": null,
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false},
    "model": {"type": "BPE", "dropout": null, "unk_token": null,
              "continuing_subword_prefix": "", "end_of_word_suffix": null,
              "vocab": {"a": 0, "b": 1, "c": 2, "Ġ": 3, "ab": 4, "abc": 5, "Ġa": 6},
              "merges": ["a b", "ab c", ["Ġ", "a"]]}})");
}

absl::StatusOr<std::unique_ptr<const Tokenizer>> Load(const json& tokenizer) {
  TemporaryFolder folder;
  folder.Write("tokenizer.json", tokenizer.dump());
  return Tokenizer::LoadFromFolder(folder.path());
}

// SmallTokenizer with a JSON merge patch (RFC 7396) applied.
absl::StatusOr<std::unique_ptr<const Tokenizer>> LoadWith(const char* patch) {
  json tokenizer = SmallTokenizer();
  tokenizer.merge_patch(json::parse(patch));
  return Load(tokenizer);
}

std::vector<int32_t> Encode(const Tokenizer& tokenizer, absl::string_view text) {
  const auto ids = tokenizer.Encode(text);
  EXPECT_TRUE(ids.ok()) << ids.status();
  return ids.value_or(std::vector<int32_t>());
}

TEST(TokenizerTest, MergesByRank) {
  const auto tokenizer = Load(SmallTokenizer());
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_EQ((*tokenizer)->vocab_size(), 7);  // without the added token
  EXPECT_THAT(Encode(**tokenizer, ""), ElementsAre());
  EXPECT_THAT(Encode(**tokenizer, "abcab"), ElementsAre(5, 4));
  EXPECT_THAT(Encode(**tokenizer, "ab abc"), ElementsAre(4, 3, 5));  // "a b" outranks "Ġ a"
  EXPECT_THAT(Encode(**tokenizer, "c aa"), ElementsAre(2, 6, 0));
  EXPECT_THAT(Encode(**tokenizer, "ab<e>c<e><e>"), ElementsAre(4, 7, 2, 7, 7));
  EXPECT_THAT(Encode(**tokenizer, "axb"),
              ElementsAre(4));  // x is not in the vocabulary: it vanishes
}

TEST(TokenizerTest, LongWordsTakeNoQuadraticTime) {
  const auto tokenizer = Load(SmallTokenizer());
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  std::string text;
  for (int i = 0; i < 500'000; ++i) text += "ab";
  EXPECT_EQ(Encode(**tokenizer, text).size(), 500'000u);
}

TEST(TokenizerTest, IgnoreMergesTakesWholeWords) {
  const auto tokenizer = LoadWith(R"({"model": {"ignore_merges": true, "merges": []}})");
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_THAT(Encode(**tokenizer, "abc abca"), ElementsAre(5, 3, 0, 1, 2, 0));
}

TEST(TokenizerTest, UnknownCharactersNeedTheUnknownToken) {
  const auto tokenizer = LoadWith(R"({"model": {"unk_token": "<unk>"}})");
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_THAT(Encode(**tokenizer, "ab"), ElementsAre(4));
  EXPECT_TRUE(IsInvalid((*tokenizer)->Encode("ax"), "INVALID_MODEL", "unknown token \"<unk>\""));
}

TEST(TokenizerTest, RefusesTextThatIsNotUtf8) {
  const auto tokenizer = Load(SmallTokenizer());
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_TRUE(IsInvalid((*tokenizer)->Encode("ab\xff"), "INVALID_TEXT", "byte 2 (0xff)"));
}

TEST(TokenizerTest, RefusesByNameWhatItDoesNotKnow) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"model": {"type": "WordPiece"}})", "the tokenizer model WordPiece is not known"},
      {R"({"model": {"dropout": 0.1}})", "dropout"},
      {R"({"model": {"end_of_word_suffix": "</w>"}})", "end_of_word_suffix is \"</w>\""},
      {R"({"normalizer": {"type": "Lowercase"}})", "the normalizer Lowercase is not known"},
      {R"({"normalizer": {"type": "Sequence", "normalizers": [{"type": "NFKC"}]}})", "NFKC"},
      {R"({"normalizer": {"type": "Replace", "pattern": {"Regex": "a"}, "content": ""}})",
       "Replace"},
      {R"({"pre_tokenizer": {"type": "BertPreTokenizer"}})", "pre-tokenizer BertPreTokenizer"},
      {R"({"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "a"}, "behavior": "Odd"}})",
       "split behavior Odd"},
      {R"({"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "\\w"},
                             "behavior": "Isolated"}})",
       "uses \\w"},
      {R"({"pre_tokenizer": {"type": "Metaspace", "replacement": "_", "prepend_scheme": "odd"}})",
       "prepend_scheme odd"},
  };
  for (const auto& [patch, part] : cases) {
    EXPECT_TRUE(IsInvalid(LoadWith(patch), "UNSUPPORTED_MODEL", part)) << patch;
    EXPECT_TRUE(IsInvalid(LoadWith(patch), "UNSUPPORTED_MODEL", "/tokenizer.json: ")) << patch;
  }
}

TEST(TokenizerTest, RefusesFilesThatContradictThemselves) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"model": null})", "\"model\" is missing"},
      {R"({"model": {"vocab": null}})", "vocab is missing"},
      {R"({"model": {"vocab": {"a": -1}}})", "token id"},
      {R"({"model": {"vocab": {"a": "1"}}})", "token id"},
      {R"({"model": {"merges": null}})", "merges are missing"},
      {R"({"model": {"merges": ["a"]}})", "want two tokens"},
      {R"({"model": {"merges": [["a", "b", "c"]]}})", "BPE merge 0 is not a pair"},
      {R"({"model": {"merges": ["a z"]}})", "names a token that the vocabulary lacks"},
      {R"({"model": {"merges": ["b a"]}})", "names a token that the vocabulary lacks"},
      {R"({"model": {"ignore_merges": 1}})", "ignore_merges"},
      {R"({"added_tokens": {}})", "not an array"},
      {R"({"added_tokens": [{"content": "<e>"}]})", "token id"},
      {R"({"added_tokens": [{"id": 9, "content": "<e>"}]})", "has the id 9"},
      {R"({"added_tokens": [{"id": 0, "content": "b"}]})", "has the id 0"},
      {R"({"pre_tokenizer": {"type": 1}})", "\"type\""},
      {R"({"pre_tokenizer": {"type": "Sequence", "pretokenizers": 1}})", "pretokenizers"},
      {R"({"pre_tokenizer": {"type": "Split", "behavior": "Isolated"}})", "no pattern"},
      {R"({"normalizer": {"type": "Prepend"}})", "\"prepend\""},
  };
  for (const auto& [patch, part] : cases) {
    EXPECT_TRUE(IsInvalid(LoadWith(patch), "INVALID_MODEL", part)) << patch;
  }
}

TEST(TokenizerTest, NamesWhatIsMissing) {
  TemporaryFolder folder;
  EXPECT_TRUE(IsInvalid(Tokenizer::LoadFromFolder(folder.path()), "INVALID_MODEL",
                        "has neither tokenizer.json nor tokenizer.model"));
  folder.Write("tokenizer.json", "{\"model\": ");
  EXPECT_TRUE(
      IsInvalid(Tokenizer::LoadFromFolder(folder.path()), "INVALID_MODEL", "not valid JSON"));
}

// A length-delimited protobuf field.
std::string Message(int number, absl::string_view content) {
  return absl::StrCat(std::string(1, static_cast<char>(number << 3 | 2)),
                      std::string(1, static_cast<char>(content.size())), content);
}

std::string SentencePiece(absl::string_view text, char type, char score_byte) {
  const std::string score = {'\x15', 0, 0, score_byte, '\x40'};  // 2.0 and up
  return Message(1, absl::StrCat(Message(1, text), score, "\x18", std::string(1, type)));
}

// A BPE model of a few pieces, without byte fallback.
std::string SmallSentencePieceModel() {
  return absl::StrCat(SentencePiece("<unk>", 2, 0), SentencePiece("▁", 1, 0),
                      SentencePiece("a", 1, 1), SentencePiece("b", 1, 2), SentencePiece("ab", 1, 9),
                      SentencePiece("▁a", 1, 8), SentencePiece("[u]", 4, 0),
                      Message(2, "\x18\x02"),                         // model_type = BPE
                      Message(3, absl::string_view("\x20\x00", 2)));  // keep whitespace
}

TEST(SentencePieceTokenizerTest, MergesByScore) {
  TemporaryFolder folder;
  folder.Write("tokenizer.model", SmallSentencePieceModel());
  const auto tokenizer = Tokenizer::LoadFromFolder(folder.path());
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_EQ((*tokenizer)->vocab_size(), 7);
  EXPECT_THAT(Encode(**tokenizer, ""), ElementsAre());
  EXPECT_THAT(Encode(**tokenizer, "ab aa"), ElementsAre(1, 4, 5, 2));
  EXPECT_THAT(Encode(**tokenizer, "[u]a"), ElementsAre(1, 6, 2));
  EXPECT_THAT(Encode(**tokenizer, "xyb"), ElementsAre(1, 0, 3));
  EXPECT_TRUE(IsInvalid((*tokenizer)->Encode("\xc3"), "INVALID_TEXT", "byte 0 (0xc3)"));
}

TEST(SentencePieceTokenizerTest, SurvivesDamage) {
  TemporaryFolder folder;
  const std::string model = SmallSentencePieceModel();
  for (size_t i = 0; i < model.size(); ++i) {
    for (const int change : {1, 4, 8, 16, 64, 128, 255}) {
      std::string damaged = model;
      damaged[i] = static_cast<char>(damaged[i] ^ change);
      folder.Write("tokenizer.model", damaged);
      const auto tokenizer = Tokenizer::LoadFromFolder(folder.path());
      if (tokenizer.ok()) {
        EXPECT_TRUE((*tokenizer)->Encode("ab [u] aaxé").ok());
      } else {
        EXPECT_EQ(tokenizer.status().code(), absl::StatusCode::kInvalidArgument);
      }
    }
    folder.Write("tokenizer.model", model.substr(0, i));
    EXPECT_FALSE(Tokenizer::LoadFromFolder(folder.path()).ok()) << i;
  }
}

TEST(SentencePieceTokenizerTest, RefusesByNameWhatItDoesNotKnow) {
  TemporaryFolder folder;
  const std::pair<std::string, const char*> cases[] = {
      {Message(2, "\x18\x01"), "other than BPE"},
      {Message(3, Message(2, "charsmap")), "a normalization table"},
      {Message(2, "\xc0\x01\x01"), "treat_whitespace_as_suffix"},
      {Message(3, absl::string_view("\x28\x00", 2)), "escape_whitespaces"},
      {SentencePiece("u", 5, 0), "unused"},
  };
  for (const auto& [suffix, part] : cases) {
    folder.Write("tokenizer.model", SmallSentencePieceModel() + suffix);
    EXPECT_TRUE(IsInvalid(Tokenizer::LoadFromFolder(folder.path()), "UNSUPPORTED_MODEL", part));
  }
  folder.Write("tokenizer.model", SmallSentencePieceModel() + Message(2, "\x98\x02\x01"));
  EXPECT_TRUE(IsInvalid(Tokenizer::LoadFromFolder(folder.path()), "INVALID_MODEL", "0 of 256"));
  folder.Write("tokenizer.model", SmallSentencePieceModel() + SentencePiece("a", 1, 0));
  EXPECT_TRUE(
      IsInvalid(Tokenizer::LoadFromFolder(folder.path()), "INVALID_MODEL", "\"a\" is there twice"));
}

}  // namespace
}  // namespace sasq
