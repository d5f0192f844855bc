#include "quant/export/shards.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "quant/format/checkpoint.h"
#include "tests/support/temporary_folder.h"

namespace sasq::testing {
namespace {

using ::testing::ElementsAre;

// A tensor of `count` bytes, written in pieces from the last to the first.
PlannedTensor Bytes(const std::string& name, int64_t count) {
  return {{{name, Dtype::kU8, {count}}}, [name, count](PartSink sink) {
            absl::Status status;
            for (int64_t i = count; i-- > 0 && status.ok();) status = sink(0, i, name.substr(0, 1));
            return status;
          }};
}

ShardOptions OptionsFor(const TemporaryFolder& folder, int64_t max_shard_bytes) {
  ShardOptions options;
  options.folder = folder.path();
  options.max_shard_bytes = max_shard_bytes;
  return options;
}

TEST(ShardsTest, OneFileWhereEverythingFits) {
  const TemporaryFolder folder;
  EXPECT_EQ(WriteShards({Bytes("a", 3), Bytes("b", 4)}, OptionsFor(folder, 7)).value(), 7);
  const auto checkpoint = Checkpoint::Open(folder.path()).value();
  EXPECT_THAT(checkpoint->file_names(), ElementsAre("model.safetensors"));
  EXPECT_EQ(checkpoint->Find("b")->bytes, "bbbb");
}

TEST(ShardsTest, SeveralFilesWithAnIndex) {
  const TemporaryFolder folder;
  std::vector<std::pair<int64_t, int64_t>> progress;
  ShardOptions options = OptionsFor(folder, 6);
  options.on_progress = [&](int64_t done, int64_t total) { progress.push_back({done, total}); };
  ASSERT_TRUE(
      WriteShards({Bytes("a", 3), Bytes("b", 3), Bytes("c", 9), Bytes("d", 1)}, options).ok());
  const auto checkpoint = Checkpoint::Open(folder.path()).value();
  EXPECT_THAT(checkpoint->file_names(),
              ElementsAre("model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors",
                          "model-00003-of-00003.safetensors"));
  EXPECT_THAT(checkpoint->names(), ElementsAre("a", "b", "c", "d"));
  EXPECT_EQ(checkpoint->Find("c")->bytes, "ccccccccc");  // larger than the limit: alone
  EXPECT_EQ(progress.back().first, progress.back().second);
}

TEST(ShardsTest, StopsWhenAsked) {
  const TemporaryFolder folder;
  std::stop_source stop;
  stop.request_stop();
  ShardOptions options = OptionsFor(folder, 6);
  options.stop = stop.get_token();
  EXPECT_TRUE(absl::IsCancelled(WriteShards({Bytes("a", 3)}, options).status()));
}

TEST(ShardsTest, ErrorsOfTensorsComeBack) {
  const TemporaryFolder folder;
  const PlannedTensor bad = {{{"a", Dtype::kU8, {1}}},
                             [](PartSink) { return absl::InvalidArgumentError("bad weights"); }};
  EXPECT_EQ(WriteShards({bad}, OptionsFor(folder, 6)).status().message(), "bad weights");
}

}  // namespace
}  // namespace sasq::testing
