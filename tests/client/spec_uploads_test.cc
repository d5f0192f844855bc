#include "client/spec_uploads.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "client/spec_fields.h"
#include "common/sha256.h"
#include "tests/support/temporary_folder.h"

namespace sasq {
namespace {

using testing::HasSubstr;

class SpecUploadsTest : public testing::Test {
 protected:
  SpecUploadsTest() {
    std::filesystem::create_directories(folder_.path() + "/my model");
    for (const char* name : {"config.json", "tokenizer.json", "model.safetensors", "README.md"}) {
      folder_.Write(std::string("my model/") + name, name);
    }
    folder_.Write("train.txt", "a text");
  }

  absl::StatusOr<std::vector<UploadFile>> Name(v1::JobSpec& spec) {
    return NameUploads(&spec, [this](const std::string& path) { read_.push_back(path); });
  }

  TemporaryFolder folder_;
  std::vector<std::string> read_;
};

TEST_F(SpecUploadsTest, NamesContentsByDigest) {
  v1::JobSpec spec;
  spec.mutable_model()->set_uri("upload:my model");
  spec.mutable_training_text()->set_uri("upload:train.txt");
  spec.mutable_evaluation_text()->set_uri("hf:datasets/org/name/test.txt");
  ResolveUris(folder_.path(), &spec);
  const auto files = Name(spec);
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_EQ(spec.model().uri(), "upload:my_model");
  ASSERT_EQ(spec.model().files_size(), 3);
  EXPECT_EQ(spec.model().files(0).path(), "config.json");
  EXPECT_EQ(spec.model().files(0).sha256(), Sha256Hex("config.json"));
  EXPECT_EQ(spec.model().files(0).size_bytes(), 11);
  EXPECT_EQ(spec.training_text().uri(), "upload:train.txt");
  EXPECT_EQ(spec.training_text().file().sha256(), Sha256Hex("a text"));
  EXPECT_FALSE(spec.evaluation_text().has_file());
  ASSERT_EQ(files->size(), 4U);
  EXPECT_EQ(files->back().local_path, folder_.path() + "/train.txt");
  EXPECT_EQ(read_.size(), 4U);

  const v1::JobSpec named = spec;
  ResolveUris("/elsewhere", &spec);
  EXPECT_TRUE(Name(spec)->empty()) << "what the service wrote stays as it is";
  EXPECT_EQ(spec.SerializeAsString(), named.SerializeAsString());
}

TEST_F(SpecUploadsTest, MarksEveryLocalSource) {
  v1::JobSpec spec;
  spec.mutable_model()->set_uri("my model");
  spec.mutable_training_text()->set_uri("s3://bucket/train.txt");
  v1::EvaluationOptions& evaluation = *spec.mutable_evaluation();
  evaluation.add_other_texts()->mutable_text()->set_uri("train.txt");
  evaluation.add_tasks()->mutable_text()->set_uri("train.txt");
  evaluation.mutable_prompts()->set_uri("train.txt");
  ResolveUris(folder_.path(), &spec);
  MarkForUpload(&spec);
  const auto files = Name(spec);
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_EQ(files->size(), 6U);
  EXPECT_EQ(spec.training_text().uri(), "s3://bucket/train.txt");
  EXPECT_TRUE(evaluation.other_texts(0).text().has_file() &&
              evaluation.tasks(0).text().has_file() && evaluation.prompts().has_file());
}

TEST_F(SpecUploadsTest, SaysWhatIsMissing) {
  v1::JobSpec spec;
  spec.mutable_model()->set_uri("upload:" + folder_.path() + "/nowhere");
  EXPECT_THAT(std::string(Name(spec).status().message()), HasSubstr("nowhere"));
  spec.mutable_model()->set_uri("upload:" + folder_.path());
  EXPECT_THAT(std::string(Name(spec).status().message()), HasSubstr("no config.json"));
  spec.clear_model();
  spec.mutable_training_text()->set_uri("upload:" + folder_.path() + "/no.txt");
  const absl::Status status = Name(spec).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_THAT(std::string(status.message()), testing::StartsWith("training_text: "));
}

TEST_F(SpecUploadsTest, AnEmptyTextIsUploadedToo) {
  v1::JobSpec spec;
  spec.mutable_training_text()->set_uri("upload:" + folder_.Write("empty.txt", ""));
  ASSERT_TRUE(Name(spec).ok());
  EXPECT_EQ(spec.training_text().file().sha256(), Sha256Hex(""));
}

}  // namespace
}  // namespace sasq
