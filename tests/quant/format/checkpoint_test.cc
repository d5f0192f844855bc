#include "quant/format/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/sha256.h"
#include "tests/quant/status_matchers.h"
#include "tests/support/temporary_folder.h"

namespace sasq {
namespace {

using testing::ElementsAre;

// A file with one F32 scalar for each name, all of `value`.
std::string Weights(const std::vector<std::string>& names, float value) {
  const absl::string_view bytes(reinterpret_cast<const char*>(&value), sizeof(value));
  std::vector<TensorToWrite> tensors;
  for (const std::string& name : names) tensors.push_back({name, Dtype::kF32, {}, bytes});
  return *SerializeSafetensors(tensors);
}

TEST(CheckpointTest, ReadsOneFile) {
  TemporaryFolder folder;
  folder.Write("model.safetensors", Weights({"b", "a"}, 1));
  const auto checkpoint = Checkpoint::Open(folder.path());
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_THAT((*checkpoint)->names(), ElementsAre("a", "b"));
  EXPECT_THAT((*checkpoint)->file_names(), ElementsAre("model.safetensors"));
  EXPECT_TRUE((*checkpoint)->Contains("a"));
  EXPECT_FALSE((*checkpoint)->Contains("c"));
  EXPECT_EQ((*checkpoint)->Find("a")->bytes.size(), 4u);
  EXPECT_TRUE(IsInvalid((*checkpoint)->Find("model.norm.weight"), "INVALID_MODEL",
                        absl::StrCat(folder.path(), " have no tensor \"model.norm.weight\"")));
}

TEST(CheckpointTest, ViewsOutliveTheCheckpoint) {
  TemporaryFolder folder;
  folder.Write("model.safetensors", Weights({"a"}, 3));
  TensorView view;
  {
    const auto checkpoint = Checkpoint::Open(folder.path());
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
    view = *(*checkpoint)->Find("a");
  }
  float value = 0;
  memcpy(&value, view.bytes.data(), sizeof(value));
  EXPECT_EQ(value, 3);
}

TEST(CheckpointTest, ReadsShards) {
  TemporaryFolder folder;
  folder.Write("x-1.safetensors", Weights({"a", "b", "not listed"}, 1));
  folder.Write("x-2.safetensors", Weights({"c"}, 2));
  folder.Write("model.safetensors.index.json",
               R"({"metadata": {"total_size": 12},
                   "weight_map": {"a": "x-1.safetensors", "b": "x-1.safetensors",
                                  "c": "x-2.safetensors"}})");
  const auto checkpoint = Checkpoint::Open(folder.path());
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_THAT((*checkpoint)->names(), ElementsAre("a", "b", "c"));
  EXPECT_THAT((*checkpoint)->file_names(), ElementsAre("x-1.safetensors", "x-2.safetensors"));
  float value = 0;
  memcpy(&value, (*checkpoint)->Find("c")->bytes.data(), sizeof(value));
  EXPECT_EQ(value, 2);
}

TEST(CheckpointTest, RefusesDamagedIndexes) {
  const std::pair<const char*, const char*> cases[] = {
      {"{", "not valid JSON"},
      {"[]", "want an object"},
      {"{}", "weight_map is missing or empty"},
      {R"({"weight_map": {}})", "weight_map is missing or empty"},
      {R"({"weight_map": ["a"]})", "weight_map is missing or empty"},
      {R"({"weight_map": {"a": 1}})", "is not the name of a file"},
      {R"({"weight_map": {"a": "../x-1.safetensors"}})", "is not the name of a file"},
      {R"({"weight_map": {"a": "/etc/passwd"}})", "is not the name of a file"},
      {R"({"weight_map": {"a": ".."}})", "is not the name of a file"},
      {R"({"weight_map": {"a": ""}})", "is not the name of a file"},
      {R"({"weight_map": {"a": "x-9.safetensors"}})", "x-9.safetensors"},
      {R"({"weight_map": {"z": "x-1.safetensors"}})", "\"z\" is in x-1.safetensors"},
      {R"({"weight_map": {"a": "x-1.safetensors", "a": "x-1.safetensors"}})", "twice"},
  };
  TemporaryFolder folder;
  folder.Write("x-1.safetensors", Weights({"a"}, 1));
  for (const auto& [index, part] : cases) {
    folder.Write("model.safetensors.index.json", index);
    EXPECT_TRUE(IsInvalid(Checkpoint::Open(folder.path()), "INVALID_MODEL", part)) << index;
  }
}

TEST(CheckpointTest, NamesMissingFoldersAndFiles) {
  TemporaryFolder folder;
  EXPECT_TRUE(IsInvalid(Checkpoint::Open(folder.path()), "INVALID_MODEL", "model.safetensors"));
  const std::string missing = absl::StrCat(folder.path(), "/missing");
  EXPECT_TRUE(IsInvalid(Checkpoint::Open(missing), "INVALID_MODEL", missing));
}

TEST(CheckpointTest, DigestIsThatOfTheDocumentedList) {
  TemporaryFolder folder;
  const std::string first = Weights({"a"}, 1);
  const std::string second = Weights({"b"}, 2);
  folder.Write("x-1.safetensors", first);
  folder.Write("x-2.safetensors", second);
  folder.Write("model.safetensors.index.json",
               R"({"weight_map": {"b": "x-2.safetensors", "a": "x-1.safetensors"}})");
  const auto checkpoint = Checkpoint::Open(folder.path());
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  const absl::string_view nul("\0", 1);
  const std::string list = absl::StrCat("x-1.safetensors", nul, Sha256Hex(first), "\n",
                                        "x-2.safetensors", nul, Sha256Hex(second), "\n");
  EXPECT_EQ((*checkpoint)->Digest(), Sha256Hex(list));
  EXPECT_EQ((*checkpoint)->Digest(), Sha256Hex(list));
}

}  // namespace
}  // namespace sasq
