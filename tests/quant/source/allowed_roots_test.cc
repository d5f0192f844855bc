#include "quant/source/allowed_roots.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/support/temporary_folder.h"

namespace sasq {
namespace {

namespace fs = std::filesystem;

class AllowedRootsTest : public testing::Test {
 protected:
  AllowedRootsTest() {
    for (const char* name : {"/allowed/model", "/secret", "/allowed-too"}) {
      fs::create_directories(folder_.path() + name);
    }
    folder_.Write("allowed/model/config.json", "{}");
    folder_.Write("secret/key", "k");
    folder_.Write("allowed-too/key", "k");
    root_ = fs::canonical(folder_.path() + "/allowed").string();
    const auto roots = AllowedRoots::Create({root_});
    EXPECT_TRUE(roots.ok()) << roots.status();
    roots_ = *roots;
  }

  bool Denies(const std::string& path) {
    return absl::IsPermissionDenied(roots_.Resolve(path).status());
  }

  TemporaryFolder folder_;
  std::string root_;
  AllowedRoots roots_;
};

TEST_F(AllowedRootsTest, AllowsWhatLiesBelow) {
  EXPECT_EQ(*roots_.Resolve(root_ + "/model"), root_ + "/model");
  EXPECT_EQ(*roots_.Resolve(root_ + "/model/config.json"), root_ + "/model/config.json");
  EXPECT_EQ(*roots_.Resolve(root_), root_);
  EXPECT_EQ(*roots_.ResolveFolder(root_ + "/model"), root_ + "/model");
  EXPECT_EQ(*roots_.Resolve(root_ + "/nowhere"), root_ + "/nowhere") << "the reader says so";
}

TEST_F(AllowedRootsTest, RefusesTheRest) {
  EXPECT_TRUE(Denies(folder_.path() + "/secret/key"));
  EXPECT_TRUE(Denies(folder_.path() + "/allowed-too/key")) << "a name that only begins so";
  EXPECT_TRUE(Denies(root_ + "/../secret/key"));
  EXPECT_TRUE(Denies(root_ + "/model/../../secret/key"));
  EXPECT_TRUE(Denies("/"));
  EXPECT_THAT(std::string(roots_.Resolve("/etc/passwd").status().message()),
              testing::AllOf(testing::HasSubstr("/etc/passwd"), testing::HasSubstr(root_),
                             testing::HasSubstr("--allowed_roots")));
}

TEST_F(AllowedRootsTest, RefusesLinksThatLeadOut) {
  fs::create_symlink(folder_.path() + "/secret", root_ + "/folder");
  fs::create_symlink(folder_.path() + "/secret/key", root_ + "/model/model.safetensors");
  EXPECT_TRUE(Denies(root_ + "/folder/key"));
  EXPECT_TRUE(Denies(root_ + "/model/model.safetensors"));
  EXPECT_TRUE(absl::IsPermissionDenied(roots_.ResolveFolder(root_ + "/model").status()));
}

TEST_F(AllowedRootsTest, FollowsLinksThatStayInside) {
  fs::create_symlink(root_ + "/model", root_ + "/latest");
  EXPECT_EQ(*roots_.Resolve(root_ + "/latest/config.json"), root_ + "/model/config.json");
  EXPECT_TRUE(roots_.ResolveFolder(root_ + "/latest").ok());
}

TEST_F(AllowedRootsTest, ARootMayBeALink) {
  fs::create_symlink(root_, folder_.path() + "/link");
  const auto roots = AllowedRoots::Create({folder_.path() + "/link"});
  EXPECT_EQ(*roots->Resolve(folder_.path() + "/link/model"), root_ + "/model");
}

TEST(AllowedRootsOptionsTest, RefusesRelativeAndNone) {
  EXPECT_TRUE(absl::IsInvalidArgument(AllowedRoots::Create({}).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(AllowedRoots::Create({"models"}).status()));
  EXPECT_EQ(*AllowedRoots::Create({"/"})->Resolve("/etc/passwd"), "/etc/passwd");
  EXPECT_EQ(AllowedRoots::Create({"/a/", "/b"})->ToString(), "/a, /b");
}

}  // namespace
}  // namespace sasq
