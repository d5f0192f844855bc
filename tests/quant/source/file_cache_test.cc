#include "quant/source/file_cache.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "common/file.h"
#include "tests/support/temporary_folder.h"

namespace sasq {
namespace {

class FileCacheTest : public testing::Test {
 protected:
  FileCache Open(int64_t max_bytes = 1000) {
    return FileCache({.folder = folder_.path() + "/cache", .max_bytes = max_bytes});
  }

  // Fetches `size_bytes` of `key` into the task.
  absl::Status Fetch(FileCache& cache, const std::string& key, int64_t size_bytes,
                     const TaskFolder& task) {
    auto part = cache.BeginFetch(key, size_bytes);
    if (!part.ok()) return part.status();
    const std::string bytes(static_cast<size_t>(size_bytes - (*part)->size_bytes()), 'x');
    EXPECT_TRUE((*part)->Append(bytes).ok());
    return cache.Keep(**part, key, task, key);
  }

  std::string FilePath(const std::string& key) { return folder_.path() + "/cache/files/" + key; }
  bool Has(const std::string& key) { return std::filesystem::exists(FilePath(key)); }
  void SetUsed(const std::string& key, int seconds) {
    const timespec times[2] = {{seconds, 0}, {seconds, 0}};
    ASSERT_EQ(::utimensat(AT_FDCWD, FilePath(key).c_str(), times, 0), 0);
  }

  TemporaryFolder folder_;
};

TEST_F(FileCacheTest, KeepsWhatWasFetched) {
  FileCache cache = Open();
  const auto task = *cache.NewTask();
  EXPECT_FALSE(*cache.Use("a", *task, "name"));
  ASSERT_TRUE(Fetch(cache, "a", 10, *task).ok());
  FileCache other = Open();
  const auto other_task = *other.NewTask();
  EXPECT_TRUE(*other.Use("a", *other_task, "name"));
  EXPECT_EQ(*ReadFile(other_task->path() + "/name", 100), std::string(10, 'x'));
}

TEST_F(FileCacheTest, TheLeastRecentlyUsedGoFirst) {
  FileCache cache = Open(30);
  {
    const auto task = *cache.NewTask();
    for (const char* key : {"a", "b", "c"}) ASSERT_TRUE(Fetch(cache, key, 10, *task).ok());
    SetUsed("a", 300);
    SetUsed("b", 100);
    SetUsed("c", 200);
  }
  const auto task = *cache.NewTask();
  ASSERT_TRUE(Fetch(cache, "d", 20, *task).ok());
  EXPECT_TRUE(Has("a") && Has("d"));
  EXPECT_FALSE(Has("b") || Has("c"));
}

TEST_F(FileCacheTest, UseMakesAFileRecent) {
  FileCache cache = Open(20);
  {
    const auto task = *cache.NewTask();
    for (const char* key : {"a", "b"}) ASSERT_TRUE(Fetch(cache, key, 10, *task).ok());
    SetUsed("a", 100);
    SetUsed("b", 200);
    EXPECT_TRUE(*cache.Use("a", *task, "again"));
  }
  const auto task = *cache.NewTask();
  ASSERT_TRUE(Fetch(cache, "c", 10, *task).ok());
  EXPECT_TRUE(Has("a"));
  EXPECT_FALSE(Has("b"));
}

TEST_F(FileCacheTest, WhatIsInUseStays) {
  FileCache cache = Open(20);
  const auto task = *cache.NewTask();
  ASSERT_TRUE(Fetch(cache, "a", 15, *task).ok());
  SetUsed("a", 1);
  FileCache other = Open(20);
  const auto other_task = *other.NewTask();
  const absl::Status full = Fetch(other, "b", 10, *other_task);
  EXPECT_TRUE(absl::IsResourceExhausted(full)) << full;
  EXPECT_THAT(std::string(full.message()), testing::HasSubstr("--cache_max_bytes"));
  EXPECT_TRUE(Has("a"));
  EXPECT_TRUE(Fetch(other, "c", 5, *other_task).ok());
}

TEST_F(FileCacheTest, ATaskLetsItsFilesGo) {
  FileCache cache = Open(20);
  {
    const auto task = *cache.NewTask();
    ASSERT_TRUE(Fetch(cache, "a", 15, *task).ok());
  }
  const auto task = *cache.NewTask();
  EXPECT_TRUE(Fetch(cache, "b", 10, *task).ok());
  EXPECT_FALSE(Has("a"));
}

TEST_F(FileCacheTest, TasksOfDeadProcessesLetTheirFilesGo) {
  FileCache cache = Open(20);
  const std::string dead = folder_.path() + "/cache/tasks/dead";
  {
    const auto task = *cache.NewTask();
    ASSERT_TRUE(Fetch(cache, "a", 15, *task).ok());
    std::filesystem::create_directories(dead);
    std::filesystem::create_hard_link(FilePath("a"), dead + "/a");
  }
  const auto task = *cache.NewTask();
  EXPECT_FALSE(std::filesystem::exists(dead));
  EXPECT_TRUE(Fetch(cache, "b", 10, *task).ok());
}

TEST_F(FileCacheTest, OneFetchesAtATime) {
  FileCache cache = Open();
  const auto part = *cache.BeginFetch("a", 10);
  EXPECT_TRUE(absl::IsAborted(Open().BeginFetch("a", 10).status()));
}

TEST_F(FileCacheTest, ABrokenFetchGoesOnAndCountsWhole) {
  FileCache cache = Open(20);
  {
    const auto part = *cache.BeginFetch("a", 15);
    ASSERT_TRUE(part->Append("half").ok());
    FileCache other = Open(20);
    const auto task = *other.NewTask();
    EXPECT_TRUE(absl::IsResourceExhausted(Fetch(other, "b", 6, *task)))
        << "the part will have 15 bytes";
  }
  EXPECT_EQ((*cache.BeginFetch("a", 15))->size_bytes(), 4);
  const auto task = *cache.NewTask();
  EXPECT_TRUE(Fetch(cache, "b", 20, *task).ok()) << "a part that nobody writes may go";
  EXPECT_EQ((*cache.BeginFetch("c", 0))->size_bytes(), 0);
}

TEST_F(FileCacheTest, AFileLargerThanTheCacheIsRefused) {
  FileCache cache = Open(10);
  EXPECT_TRUE(absl::IsResourceExhausted(cache.BeginFetch("a", 11).status()));
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path() + "/cache/parts"));
}

}  // namespace
}  // namespace sasq
