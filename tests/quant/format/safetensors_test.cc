#include "quant/format/safetensors.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "tests/quant/status_matchers.h"
#include "tests/support/temporary_folder.h"

namespace sasq {
namespace {

// Made by Python's safetensors 0.8.0:
//   safetensors.numpy.save({"b": float32 [1, -2], "a": int8 [-1, 2, 3], "c": int64 7,
//                           "e": float16 of shape [0, 4]}, {"format": "pt"})
constexpr absl::string_view kGolden(
    "\x00\x01\x00\x00\x00\x00\x00\x00"
    R"({"__metadata__":{"format":"pt"},"c":{"dtype":"I64","shape":[],"data_offsets":[0,8]},)"
    R"("b":{"dtype":"F32","shape":[2],"data_offsets":[8,16]},)"
    R"("e":{"dtype":"F16","shape":[0,4],"data_offsets":[16,16]},)"
    R"("a":{"dtype":"I8","shape":[3],"data_offsets":[16,19]}}       )"
    "\x07\x00\x00\x00\x00\x00\x00\x00"
    "\x00\x00\x80\x3f\x00\x00\x00\xc0"
    "\xff\x02\x03",
    283);

std::vector<TensorToWrite> GoldenTensors() {
  return {{"a", Dtype::kI8, {3}, "\xff\x02\x03"},
          {"b", Dtype::kF32, {2}, absl::string_view("\x00\x00\x80\x3f\x00\x00\x00\xc0", 8)},
          {"c", Dtype::kI64, {}, absl::string_view("\x07\x00\x00\x00\x00\x00\x00\x00", 8)},
          {"e", Dtype::kF16, {0, 4}, ""}};
}

// A file with `header` as its JSON and `data` behind it.
std::string FileWith(absl::string_view header, absl::string_view data) {
  std::string file(8, '\0');
  for (size_t i = 0; i < 8; ++i) file[i] = static_cast<char>(header.size() >> (8 * i) & 0xff);
  return absl::StrCat(file, header, data);
}

// Opens `content` as a file. Every tensor that is handed out must lie inside it and fit its shape,
// whatever the file says; reading all bytes shows the address sanitizer that they are there.
absl::Status OpenAndCheck(const TemporaryFolder& folder, absl::string_view content) {
  const auto file = SafetensorsFile::Open(folder.Write("f.safetensors", content));
  if (!file.ok()) return file.status();
  size_t covered = 0;
  unsigned sum = 0;
  for (const auto& [name, tensor] : (*file)->tensors()) {
    const int64_t count = std::accumulate(tensor.shape.begin(), tensor.shape.end(), int64_t{1},
                                          std::multiplies<int64_t>());
    EXPECT_EQ(tensor.name, name);
    EXPECT_EQ(tensor.element_count(), count);
    EXPECT_EQ(static_cast<int64_t>(tensor.bytes.size()), count * DtypeSizeBytes(tensor.dtype));
    for (const char byte : tensor.bytes) sum += static_cast<unsigned char>(byte);
    covered += tensor.bytes.size();
  }
  EXPECT_LT(covered, content.size());
  EXPECT_LE(sum, covered * 255);
  return absl::OkStatus();
}

TEST(SafetensorsTest, WritesWhatTheReferenceWrites) {
  std::vector<TensorToWrite> tensors = GoldenTensors();
  do {
    const auto bytes = SerializeSafetensors(tensors, {{"format", "pt"}});
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    EXPECT_EQ(*bytes, kGolden);
  } while (std::next_permutation(
      tensors.begin(), tensors.end(),
      [](const TensorToWrite& a, const TensorToWrite& b) { return a.name < b.name; }));
}

TEST(SafetensorsTest, ReadsWhatTheReferenceWrote) {
  TemporaryFolder folder;
  const auto file = SafetensorsFile::Open(folder.Write("golden", kGolden));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ((*file)->metadata(), (std::map<std::string, std::string>{{"format", "pt"}}));
  EXPECT_EQ((*file)->tensors().size(), 4u);
  for (const TensorToWrite& wanted : GoldenTensors()) {
    const auto tensor = (*file)->Find(wanted.name);
    ASSERT_TRUE(tensor.ok()) << tensor.status();
    EXPECT_EQ(tensor->dtype, wanted.dtype);
    EXPECT_EQ(tensor->shape, wanted.shape);
    EXPECT_EQ(tensor->bytes, wanted.bytes);
  }
  EXPECT_TRUE(IsInvalid((*file)->Find("d"), "INVALID_MODEL", "golden has no tensor \"d\""));
}

TEST(SafetensorsTest, RoundTripsEveryDtype) {
  const std::string data(24, 'x');
  std::vector<TensorToWrite> tensors;
  for (int i = 0; i <= static_cast<int>(Dtype::kU64); ++i) {
    const auto dtype = static_cast<Dtype>(i);
    EXPECT_EQ(ParseDtype(DtypeName(dtype)), dtype);
    tensors.push_back({absl::StrCat("tensor ", i, " \"ü\""),
                       dtype,
                       {3, 1},
                       absl::string_view(data).substr(0, 3 * DtypeSizeBytes(dtype))});
  }
  TemporaryFolder folder;
  const std::string bytes = *SerializeSafetensors(tensors, {{"k", "v\n"}, {"a", ""}});
  const auto file = SafetensorsFile::Open(folder.Write("f", bytes));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ((*file)->metadata().at("k"), "v\n");
  for (const TensorToWrite& wanted : tensors) {
    const auto tensor = (*file)->Find(wanted.name);
    ASSERT_TRUE(tensor.ok()) << tensor.status();
    EXPECT_EQ(tensor->dtype, wanted.dtype);
    EXPECT_EQ(tensor->bytes, wanted.bytes);
    // Larger elements come first, so everything is aligned.
    EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor->bytes.data()) %
                  static_cast<uintptr_t>(DtypeSizeBytes(tensor->dtype)),
              0u);
  }
}

TEST(SafetensorsTest, RefusesToWriteWhatCannotBeRead) {
  const std::vector<std::vector<TensorToWrite>> cases = {
      {{"a", Dtype::kF32, {2}, "1234"}},
      {{"a", Dtype::kF32, {-1}, "1234"}},
      {{"a", Dtype::kF32, {int64_t{1} << 40, int64_t{1} << 40}, "1234"}},
      {{"a", Dtype::kF32, {1}, "1234"}, {"a", Dtype::kU8, {1}, "1"}},
      {{"__metadata__", Dtype::kF32, {1}, "1234"}},
      {{"\xff", Dtype::kF32, {1}, "1234"}},
  };
  for (const auto& tensors : cases) {
    EXPECT_EQ(SerializeSafetensors(tensors).status().code(), absl::StatusCode::kInvalidArgument)
        << tensors[0].name;
  }
}

TEST(SafetensorsTest, RefusesEveryTruncation) {
  TemporaryFolder folder;
  for (size_t length = 0; length < kGolden.size(); ++length) {
    EXPECT_TRUE(IsInvalid(OpenAndCheck(folder, kGolden.substr(0, length)), "INVALID_MODEL",
                          "f.safetensors"))
        << length;
  }
  EXPECT_TRUE(OpenAndCheck(folder, kGolden).ok());
  EXPECT_TRUE(IsInvalid(OpenAndCheck(folder, absl::StrCat(kGolden, "x")), "INVALID_MODEL",
                        "the tensors end at byte 19 of 20"));
}

TEST(SafetensorsTest, SurvivesEveryFlippedHeaderBit) {
  TemporaryFolder folder;
  int accepted_count = 0;
  const size_t header_end = kGolden.size() - 19;
  for (size_t i = 0; i < header_end; ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged(kGolden);
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
      const absl::Status status = OpenAndCheck(folder, damaged);
      accepted_count += status.ok();
      EXPECT_TRUE(status.ok() || ReasonOf(status) == "INVALID_MODEL" ||
                  ReasonOf(status) == "UNSUPPORTED_MODEL")
          << i << " " << bit << " " << status;
    }
  }
  // Changed names and metadata go unnoticed, which is why weights have a digest.
  EXPECT_GT(accepted_count, 0);
  EXPECT_LT(accepted_count, static_cast<int>(header_end));
}

TEST(SafetensorsTest, RefusesLyingHeaders) {
  const std::tuple<const char*, absl::string_view, const char*> cases[] = {
      {"[]", "", "want an object"},
      {"", "", "not valid JSON"},
      {R"({"a":1})", "", "not an object"},
      {R"({"a":{}})", "", "has no dtype"},
      {R"({"a":{"dtype":1,"shape":[],"data_offsets":[0,4]}})", "1234", "has no dtype"},
      {R"({"a":{"dtype":"F32","data_offsets":[0,4]}})", "1234", "shape is not an array"},
      {R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", "1234", "shape is not"},
      {R"({"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}})", "1234", "shape is not"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}})", "1234", "two offsets"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,4]}})", "1234", "two offsets"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", "1234", "lie outside"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}})", "1234", "lie outside"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", "1234", "takes 8"},
      {R"({"a":{"dtype":"F32","shape":[0],"data_offsets":[0,4]}})", "1234", "takes 0"},
      {R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}})", "",
       "more than 2^63"},
      {R"({"a":{"dtype":"F32","shape":[4294967296,4294967296,0],"data_offsets":[0,0]}})", "",
       "more than 2^63"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[9223372036854775804,9223372036854775808]}})",
       "1234", "two offsets"},
      {R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
       R"("b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
       "123", "they overlap"},
      {R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
       R"("b":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})",
       "12", "they overlap"},
      {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
       R"("b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}})",
       "123", "there is a hole"},
      {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})", "12", "there is a hole"},
      {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", "12", "end at byte 1 of 2"},
      {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
       R"("a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})",
       "1", "\"a\" twice"},
      {R"({"__metadata__":[]})", "", "__metadata__ is not an object"},
      {R"({"__metadata__":{"a":1}})", "", "is not a string"},
  };
  TemporaryFolder folder;
  for (const auto& [header, data, part] : cases) {
    EXPECT_TRUE(IsInvalid(OpenAndCheck(folder, FileWith(header, data)), "INVALID_MODEL", part))
        << header;
  }
  EXPECT_TRUE(IsInvalid(
      OpenAndCheck(folder,
                   FileWith(R"({"a":{"dtype":"F4","shape":[2],"data_offsets":[0,1]}})", "1")),
      "UNSUPPORTED_MODEL", "dtype F4 is not known"));
}

TEST(SafetensorsTest, RefusesHeadersThatClaimTooMuch) {
  TemporaryFolder folder;
  EXPECT_TRUE(IsInvalid(OpenAndCheck(folder, absl::StrCat(std::string(8, '\xff'), "{}")),
                        "INVALID_MODEL", "is it a safetensors file?"));
  std::string long_header = FileWith("{}", "");
  long_header[1] = 1;
  EXPECT_TRUE(IsInvalid(OpenAndCheck(folder, long_header), "INVALID_MODEL",
                        "has 258 bytes, but only 2 follow"));
  EXPECT_TRUE(IsInvalid(SafetensorsFile::Open(folder.path()), "INVALID_MODEL", "regular file"));
  EXPECT_TRUE(IsInvalid(SafetensorsFile::Open(folder.path() + "/no"), "INVALID_MODEL", "/no"));
}

}  // namespace
}  // namespace sasq
