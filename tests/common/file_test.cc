#include "common/file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cerrno>
#include <csignal>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "tests/support/temporary_folder.h"

namespace sasq {
namespace {

using ::testing::HasSubstr;

class FileTest : public ::testing::Test {
 protected:
  std::string Path(const std::string& name) const { return absl::StrCat(folder_, "/", name); }
  size_t FileCount() const {
    return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder_), {}));
  }

  const TemporaryFolder temporary_;
  const std::string folder_ = temporary_.path();
};

TEST_F(FileTest, TellsTheSpaceOfADisk) {
  const absl::StatusOr<DiskSpace> space = DiskSpaceOf(folder_);
  ASSERT_TRUE(space.ok()) << space.status();
  EXPECT_GT(space->size_bytes, 0);
  EXPECT_GE(space->free_bytes, 0);
  EXPECT_LE(space->free_bytes, space->size_bytes);
  EXPECT_EQ(DiskSpaceOf(Path("missing")).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(FileTest, WrittenFilesAreReadBack) {
  const std::string content("a\0b\n", 4);
  ASSERT_TRUE(WriteFileDurably(Path("file"), content).ok());
  EXPECT_EQ(ReadFile(Path("file"), 100).value(), content);
  EXPECT_EQ(MappedFile::Open(Path("file")).value()->bytes(), content);
  EXPECT_EQ(FileCount(), 1u);
}

TEST_F(FileTest, WritingReplacesTheWholeFile) {
  ASSERT_TRUE(WriteFileDurably(Path("file"), "long content").ok());
  ASSERT_TRUE(WriteFileDurably(Path("file"), "short").ok());
  EXPECT_EQ(ReadFile(Path("file"), 100).value(), "short");
}

TEST_F(FileTest, ErrorsNameThePath) {
  const absl::Status missing = ReadFile(Path("none"), 100).status();
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(missing.message()), HasSubstr(Path("none")));
  EXPECT_EQ(WriteFileDurably(Path("none/file"), "x").code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(MappedFile::Open(folder_).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(FileTest, LongFilesAreRefused) {
  ASSERT_TRUE(WriteFileDurably(Path("file"), "12345").ok());
  EXPECT_TRUE(ReadFile(Path("file"), 5).ok());
  EXPECT_EQ(ReadFile(Path("file"), 4).status().code(), absl::StatusCode::kOutOfRange);
}

TEST_F(FileTest, AFailedWriteLeavesTheOldFileAndNoOther) {
  ASSERT_TRUE(WriteFileDurably(Path("file"), "old").ok());
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before;
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit small = before;
  small.rlim_cur = 4;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const absl::Status status = WriteFileDurably(Path("file"), "new and longer");
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(ReadFile(Path("file"), 100).value(), "old");
  EXPECT_EQ(FileCount(), 1u);
}

TEST(SystemErrorTest, SaysWhichKind) {
  EXPECT_EQ(SystemError(ENOSPC, "write", "f").code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(SystemError(EACCES, "write", "f").code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(SystemError(EIO, "write", "f").code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace sasq
