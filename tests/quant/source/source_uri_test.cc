#include "quant/source/source_uri.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sasq {
namespace {

SourceUri Parse(absl::string_view uri, SourceKind kind = SourceKind::kModel) {
  const absl::StatusOr<SourceUri> parsed = ParseSourceUri(uri, kind);
  EXPECT_TRUE(parsed.ok()) << uri << ": " << parsed.status();
  return parsed.ok() ? *parsed : SourceUri();
}

TEST(SourceUriTest, Files) {
  EXPECT_EQ(Parse("file:/data/model").path, "/data/model");
  EXPECT_EQ(Parse("file:/data/model").scheme, SourceScheme::kFile);
  EXPECT_EQ(Parse("file:/data/a..b/t.txt", SourceKind::kText).path, "/data/a..b/t.txt");
}

TEST(SourceUriTest, HubModels) {
  const SourceUri plain = Parse("hf:org/name");
  EXPECT_EQ(plain.scheme, SourceScheme::kHub);
  EXPECT_EQ(plain.repository, "org/name");
  EXPECT_EQ(plain.revision, "main");
  EXPECT_EQ(plain.path, "");
  EXPECT_EQ(Parse("hf:org/na.me-1@refs/pr/7").revision, "refs/pr/7");
  EXPECT_EQ(Parse("hf:org/name@v1.0").repository, "org/name");
}

TEST(SourceUriTest, HubTexts) {
  const SourceUri text = Parse("hf:datasets/org/name@abc/a/b.txt", SourceKind::kText);
  EXPECT_TRUE(text.is_dataset);
  EXPECT_EQ(text.repository, "org/name");
  EXPECT_EQ(text.revision, "abc");
  EXPECT_EQ(text.path, "a/b.txt");
  EXPECT_FALSE(Parse("hf:org/name/README.md", SourceKind::kText).is_dataset);
}

TEST(SourceUriTest, S3) {
  const SourceUri model = Parse("s3://my-bucket/models/x/");
  EXPECT_EQ(model.bucket, "my-bucket");
  EXPECT_EQ(model.path, "models/x/");
  EXPECT_EQ(Parse("s3://my-bucket/models/x").path, "models/x/");
  EXPECT_EQ(Parse("s3://my-bucket").path, "");
  EXPECT_EQ(Parse("s3://my-bucket/a b/t.txt", SourceKind::kText).path, "a b/t.txt");
}

TEST(SourceUriTest, Uploads) { EXPECT_EQ(Parse("upload:smollm2-135m").path, "smollm2-135m"); }

TEST(SourceUriTest, RefusesWhatIsWrong) {
  for (const char* uri : {"",
                          "relative/path",
                          "/data/model",
                          "file:data",
                          "file://host/data/../x",
                          "file:/data/../x",
                          "file:/..",
                          "hf:name",
                          "hf:org/name/file",
                          "hf:org/../name",
                          "hf:org/name@",
                          "hf:org/name@a/../b",
                          "hf:org/name@a b",
                          "hf:org/na%2fme",
                          "hf:../..",
                          "s3:bucket/x",
                          "s3://B/x",
                          "s3://bu/x",
                          "s3://bucket//x",
                          "s3://bucket/../x",
                          "s3://a..b/x",
                          "upload:",
                          "upload:a/b",
                          "upload:..",
                          "http://169.254.169.254/latest",
                          "https://host/model",
                          "ftp://host/x",
                          "HF:org/name"}) {
    const absl::StatusOr<SourceUri> parsed = ParseSourceUri(uri, SourceKind::kModel);
    EXPECT_TRUE(absl::IsInvalidArgument(parsed.status())) << uri;
    EXPECT_THAT(std::string(parsed.status().message()), testing::HasSubstr("want")) << uri;
  }
  for (const char* uri : {"hf:org/name", "hf:datasets/org/name", "hf:org/name/../x", "s3://bucket",
                          "s3://bucket/", "s3://bucket/x/", "hf:org/name//x"}) {
    EXPECT_FALSE(ParseSourceUri(uri, SourceKind::kText).ok()) << uri;
  }
}

TEST(SourceUriTest, NamesTheKnownSchemes) {
  const std::string message(ParseSourceUri("gs://bucket/x", SourceKind::kModel).status().message());
  for (const char* scheme : {"file:", "hf:", "s3://", "upload:"}) {
    EXPECT_THAT(message, testing::HasSubstr(scheme));
  }
}

TEST(SourceUriTest, NamesForPeople) {
  EXPECT_EQ(SourceName("file:/data/model/"), "model");
  EXPECT_EQ(SourceName("hf:org/name"), "name");
  EXPECT_EQ(SourceName("s3://bucket/models/x"), "x");
  EXPECT_EQ(SourceName("upload:smollm2"), "smollm2");
}

}  // namespace
}  // namespace sasq
