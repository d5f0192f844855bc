#include "common/part_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/file.h"
#include "tests/support/temporary_folder.h"

namespace sasq {
namespace {

class PartFileTest : public testing::Test {
 protected:
  const TemporaryFolder temporary_;
  const std::string folder_ = temporary_.path();
  const std::string path_ = folder_ + "/file.part";
};

TEST_F(PartFileTest, GrowsAndIsPutInItsPlace) {
  const auto part = *PartFile::Open(path_, 100);
  ASSERT_TRUE(part->Append("one ").ok());
  ASSERT_TRUE(part->Append("two").ok());
  EXPECT_EQ(part->size_bytes(), 7);
  EXPECT_EQ(*part->FinishDigest(), Sha256Hex("one two"));
  ASSERT_TRUE(part->MoveTo(folder_ + "/file").ok());
  EXPECT_EQ(*ReadFile(folder_ + "/file", 100), "one two");
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(PartFileTest, GoesOnWithWhatIsThere) {
  { ASSERT_TRUE((*PartFile::Open(path_, 100))->Append("one ").ok()); }
  const auto part = *PartFile::Open(path_, 100);
  EXPECT_EQ(part->size_bytes(), 4);
  ASSERT_TRUE(part->Append("two").ok());
  // As `git hash-object` gives it.
  EXPECT_EQ(*part->GitBlobSha1Hex(), "a74d752211b51049fcc9e32907aa3cf1c9f1add8");
  EXPECT_EQ(*part->FinishDigest(), Sha256Hex("one two"));
}

TEST_F(PartFileTest, BeginsAnew) {
  { ASSERT_TRUE((*PartFile::Open(path_, 100))->Append("other").ok()); }
  const auto part = *PartFile::Open(path_, 100);
  ASSERT_TRUE(part->Restart().ok());
  ASSERT_TRUE(part->Append("one").ok());
  EXPECT_EQ(*part->FinishDigest(), Sha256Hex("one"));
}

TEST_F(PartFileTest, DropsWhatIsTooLong) {
  { ASSERT_TRUE((*PartFile::Open(path_, 100))->Append("other").ok()); }
  EXPECT_EQ((*PartFile::Open(path_, 4))->size_bytes(), 0);
}

TEST_F(PartFileTest, HasOneWriter) {
  const auto part = *PartFile::Open(path_, 100);
  EXPECT_TRUE(absl::IsAborted(PartFile::Open(path_, 100).status()));
}

TEST_F(PartFileTest, DoesNotFollowLinks) {
  std::filesystem::create_symlink(folder_ + "/elsewhere", path_);
  EXPECT_FALSE(PartFile::Open(path_, 100).ok());
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/elsewhere"));
}

}  // namespace
}  // namespace sasq
