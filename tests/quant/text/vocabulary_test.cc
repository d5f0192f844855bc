#include "quant/text/vocabulary.h"

#include <gtest/gtest.h>

#include "tests/quant/status_matchers.h"

namespace sasq {
namespace {

class TokenizerOfSize final : public Tokenizer {
 public:
  explicit TokenizerOfSize(int64_t vocab_size) : vocab_size_(vocab_size) {}
  absl::StatusOr<std::vector<int32_t>> Encode(absl::string_view) const override {
    return std::vector<int32_t>();
  }
  std::string TokenText(int32_t) const override { return ""; }
  int64_t vocab_size() const override { return vocab_size_; }

 private:
  const int64_t vocab_size_;
};

TEST(VocabularyTest, ComparesTheSizes) {
  EXPECT_TRUE(CheckVocabulary(TokenizerOfSize(100), 100).ok());
  EXPECT_TRUE(CheckVocabulary(TokenizerOfSize(100), 128).ok());  // embeddings are often padded
  EXPECT_TRUE(IsInvalid(CheckVocabulary(TokenizerOfSize(101), 100), "INVALID_MODEL",
                        "has 101 ids, but the model's vocab_size is 100"));
}

TEST(VocabularyTest, ComparesEveryToken) {
  EXPECT_TRUE(CheckTokens({0, 5, 99}, 100).ok());
  EXPECT_TRUE(CheckTokens({}, 100).ok());
  EXPECT_TRUE(IsInvalid(CheckTokens({0, 100}, 100), "INVALID_MODEL",
                        "token 1 of the text has the id 100, but the model's vocab_size is 100"));
  EXPECT_TRUE(IsInvalid(CheckTokens({-1}, 100), "INVALID_MODEL", "has the id -1"));
}

}  // namespace
}  // namespace sasq
