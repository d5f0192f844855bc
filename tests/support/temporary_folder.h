// A folder of its own for a test, removed with it.
#ifndef SASQ_TESTS_SUPPORT_TEMPORARY_FOLDER_H_
#define SASQ_TESTS_SUPPORT_TEMPORARY_FOLDER_H_

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/uid.h"

namespace sasq {

class TemporaryFolder {
 public:
  // `parent`: what it is made in.
  explicit TemporaryFolder(const std::string& parent = ::testing::TempDir())
      : path_(std::filesystem::path(parent) / absl::StrCat("sasq-", NewUid())) {
    std::filesystem::create_directories(path_);
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::string& path() const { return path_; }
  // The path of a file in it.
  std::string Path(absl::string_view name) const { return absl::StrCat(path_, "/", name); }

  // Writes a file and returns its path.
  std::string Write(absl::string_view name, absl::string_view content) const {
    const std::string file_path = Path(name);
    std::ofstream file(file_path, std::ios::binary | std::ios::trunc);
    file.write(content.data(), static_cast<std::streamsize>(content.size()));
    EXPECT_TRUE(file.good()) << file_path;
    return file_path;
  }

 private:
  const std::string path_;
};

}  // namespace sasq

#endif  // SASQ_TESTS_SUPPORT_TEMPORARY_FOLDER_H_
