#include "client/download.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "common/sha256.h"
#include "tests/client/fake_service.h"
#include "tests/support/temporary_folder.h"

namespace sasq {
namespace {

using ::testing::ElementsAre;
using testing::FakeService;
using ::testing::HasSubstr;

class DownloadTest : public ::testing::Test {
 protected:
  DownloadTest() {
    for (int i = 0; i < 5000; ++i) bytes_ += static_cast<char>(i * 7 + i / 256);
    blob_.set_file_name("scales.safetensors");
    blob_.set_sha256(Sha256Hex(bytes_));
    blob_.set_size_bytes(5000);
  }

  static std::string Read(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return text.str();
  }
  static void Write(const std::string& path, const std::string& text) {
    std::ofstream(path, std::ios::binary) << text;
  }

  absl::Status Download() {
    Reconnector reconnector({}, Clock::Real(), &interrupt_, [](const std::string&) {});
    return DownloadFile(client_, blob_, path_, reconnector, [](int64_t) {});
  }

  const TemporaryFolder temporary_;
  const std::filesystem::path folder_ = temporary_.path();
  const std::string path_ = (folder_ / "scales.safetensors").string();
  const std::string part_ = path_ + ".part";
  std::string bytes_;
  v1::Blob blob_;
  FakeService service_;
  Interrupt interrupt_;
  ServiceClient client_{{.endpoint = service_.endpoint()}, &interrupt_};
};

TEST_F(DownloadTest, PutsTheWholeFileInPlace) {
  service_.AddBlob(blob_, bytes_);
  ASSERT_TRUE(Download().ok());
  EXPECT_EQ(Read(path_), bytes_);
  EXPECT_FALSE(std::filesystem::exists(part_));
}

TEST_F(DownloadTest, AnEmptyFileIsAFile) {
  blob_.set_size_bytes(0);
  blob_.set_sha256(Sha256Hex(""));
  service_.AddBlob(blob_, "");
  ASSERT_TRUE(Download().ok());
  EXPECT_EQ(Read(path_), "");
}

TEST_F(DownloadTest, ResumesAfterEveryBreak) {
  service_.AddBlob(blob_, bytes_);
  service_.BreakDownloadAt(1234);
  service_.BreakDownloadAt(4999);
  ASSERT_TRUE(Download().ok());
  EXPECT_EQ(Read(path_), bytes_);
  EXPECT_THAT(service_.download_offsets(), ElementsAre(0, 1234, 4999));
}

TEST_F(DownloadTest, ResumesAnEarlierRun) {
  service_.AddBlob(blob_, bytes_);
  Write(part_, bytes_.substr(0, 3000));
  ASSERT_TRUE(Download().ok());
  EXPECT_EQ(Read(path_), bytes_);
  EXPECT_THAT(service_.download_offsets(), ElementsAre(3000));
}

TEST_F(DownloadTest, AWholePartNeedsNoCall) {
  Write(part_, bytes_);
  ASSERT_TRUE(Download().ok());
  EXPECT_THAT(service_.download_offsets(), ElementsAre());
}

TEST_F(DownloadTest, AnEarlierRunOfAnotherBlobIsThrownAway) {
  service_.AddBlob(blob_, bytes_);
  Write(part_, std::string(3000, 'x'));
  ASSERT_TRUE(Download().ok());
  EXPECT_EQ(Read(path_), bytes_);
  EXPECT_THAT(service_.download_offsets(), ElementsAre(3000, 0));
  std::filesystem::remove(path_);
  Write(part_, std::string(6000, 'x'));  // longer than the blob
  ASSERT_TRUE(Download().ok());
  EXPECT_EQ(Read(path_), bytes_);
}

TEST_F(DownloadTest, WrongBytesAreNeverPutInPlace) {
  std::string damaged = bytes_;
  damaged[17] ^= 1;
  service_.AddBlob(blob_, damaged);
  Write(path_, "old");
  const absl::Status status = Download();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("do not match their SHA-256"));
  EXPECT_EQ(Read(path_), "old");
  EXPECT_FALSE(std::filesystem::exists(part_));
}

TEST_F(DownloadTest, MoreBytesThanPromisedAreRefused) {
  service_.AddBlob(blob_, bytes_ + "more");
  EXPECT_TRUE(absl::IsDataLoss(Download()));
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(DownloadTest, TwoDownloadsDoNotMix) {
  const int fd = ::open(part_.c_str(), O_RDWR | O_CREAT, 0644);
  ASSERT_EQ(::flock(fd, LOCK_EX), 0);
  EXPECT_TRUE(absl::IsAborted(Download()));
  ::close(fd);
}

TEST_F(DownloadTest, ALinkInPlaceOfThePartIsNotFollowed) {
  Write((folder_ / "victim").string(), "precious");
  std::filesystem::create_symlink(folder_ / "victim", part_);
  EXPECT_TRUE(absl::IsFailedPrecondition(Download()));
  EXPECT_EQ(Read((folder_ / "victim").string()), "precious");
}

TEST_F(DownloadTest, ADiskThatTakesNoMoreIsNamed) {
  service_.AddBlob(blob_, bytes_);
  std::signal(SIGXFSZ, SIG_IGN);  // a limit on file sizes stands in for a full disk
  rlimit before;
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small{2000, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const absl::Status status = Download();
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("cannot write " + part_));
  ASSERT_TRUE(Download().ok());  // and goes on once there is room
  EXPECT_THAT(service_.download_offsets(), ElementsAre(0, 2000));
}

TEST_F(DownloadTest, LocalFilesAreComparedByContent) {
  EXPECT_EQ(*CompareLocalFile(path_, blob_), LocalFile::kAbsent);
  Write(path_, bytes_);
  EXPECT_EQ(*CompareLocalFile(path_, blob_), LocalFile::kSame);
  Write(path_, std::string(5000, 'x'));
  EXPECT_EQ(*CompareLocalFile(path_, blob_), LocalFile::kDifferent);
  Write(path_, "short");
  EXPECT_EQ(*CompareLocalFile(path_, blob_), LocalFile::kDifferent);
  std::filesystem::remove(path_);
  std::filesystem::create_directory(path_);
  EXPECT_TRUE(absl::IsFailedPrecondition(CompareLocalFile(path_, blob_).status()));
}

TEST_F(DownloadTest, OnlyPlainNamesAreWritten) {
  EXPECT_TRUE(CheckBlob(blob_).ok());
  for (const std::string name :
       {"", ".", "..", "../evil", "/etc/passwd", "a/b", ".profile", "a\x1b[2J", "a\nb", "x.part",
        "\xff", std::string(300, 'a').c_str()}) {
    v1::Blob blob = blob_;
    blob.set_file_name(name);
    EXPECT_TRUE(absl::IsDataLoss(CheckBlob(blob))) << name;
  }
  v1::Blob negative = blob_;
  negative.set_size_bytes(-1);
  EXPECT_TRUE(absl::IsDataLoss(CheckBlob(negative)));
  v1::Blob undigested = blob_;
  undigested.set_sha256("abc");
  EXPECT_TRUE(absl::IsDataLoss(CheckBlob(undigested)));
}

}  // namespace
}  // namespace sasq
