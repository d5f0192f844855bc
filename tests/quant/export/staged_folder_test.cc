#include "quant/export/staged_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "common/file.h"
#include "tests/support/temporary_folder.h"

namespace sasq::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class StagedFolderTest : public ::testing::Test {
 protected:
  absl::Status Publish(bool replace) const {
    const auto staged = StagedFolder::Create(out_, replace);
    if (!staged.ok()) return staged.status();
    std::ofstream(absl::StrCat((*staged)->path(), "/new")) << "new";
    return (*staged)->Publish();
  }

  // What lies beside the folder: nothing may be left there.
  size_t EntryCount() const {
    return static_cast<size_t>(
        std::distance(fs::directory_iterator(folder_.path()), fs::directory_iterator()));
  }

  const TemporaryFolder folder_;
  const std::string out_ = folder_.path() + "/out";
};

TEST_F(StagedFolderTest, AppearsWhole) {
  ASSERT_TRUE(Publish(false).ok());
  EXPECT_EQ(ReadFile(out_ + "/new", 10).value(), "new");
  EXPECT_EQ(EntryCount(), 1u);
}

TEST_F(StagedFolderTest, LeavesNothingUnlessPublished) {
  { ASSERT_TRUE(StagedFolder::Create(out_, false).ok()); }
  EXPECT_EQ(EntryCount(), 0u);
}

TEST_F(StagedFolderTest, TakesAnEmptyFolderAndRefusesAFullOne) {
  fs::create_directory(out_);
  ASSERT_TRUE(Publish(false).ok());
  const absl::Status status = Publish(false);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("--force"));
  EXPECT_EQ(EntryCount(), 1u);
}

TEST_F(StagedFolderTest, ReplacesOnlyAModel) {
  fs::create_directory(out_);
  folder_.Write("out/old", "old");
  EXPECT_THAT(std::string(Publish(true).message()), HasSubstr("holds no config.json"));
  EXPECT_EQ(ReadFile(out_ + "/old", 10).value(), "old");
  folder_.Write("out/config.json", "{}");
  ASSERT_TRUE(Publish(true).ok());
  EXPECT_FALSE(fs::exists(out_ + "/old"));
  EXPECT_EQ(ReadFile(out_ + "/new", 10).value(), "new");
  EXPECT_EQ(EntryCount(), 1u);
}

TEST_F(StagedFolderTest, RefusesAFile) {
  folder_.Write("out", "");
  EXPECT_THAT(std::string(Publish(true).message()), HasSubstr("is not a folder"));
}

TEST_F(StagedFolderTest, KnowsWhatTravels) {
  for (const char* name :
       {"config.json", "README.md", "model-00001-of-00002.safetensors",
        "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json",
        "model.Q4.GGUF", ".gitattributes", "tokenizer.json", "tokenizer.model",
        "generation_config.json", "chat_template.jinja", "LICENSE"}) {
    folder_.Write(name, name);
  }
  fs::create_directories(folder_.path() + "/additional_chat_templates");
  folder_.Write("additional_chat_templates/tools.jinja", "");
  fs::create_directories(folder_.path() + "/onnx");
  folder_.Write("onnx/vocab.txt", "");
  fs::create_symlink(folder_.path() + "/LICENSE", folder_.path() + "/NOTICE");
  fs::create_symlink(folder_.path() + "/nowhere", folder_.path() + "/dangling");
  EXPECT_THAT(FilesToCarryOver(folder_.path()).value(),
              ElementsAre("LICENSE", "NOTICE", "additional_chat_templates/tools.jinja",
                          "chat_template.jinja", "generation_config.json", "tokenizer.json",
                          "tokenizer.model"));
}

}  // namespace
}  // namespace sasq::testing
