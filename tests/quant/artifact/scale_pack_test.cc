#include "quant/artifact/scale_pack.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "quant/artifact/canonical_json.h"
#include "quant/format/safetensors.h"
#include "tests/quant/artifact/sample.h"
#include "tests/support/temporary_folder.h"

namespace sasq {
namespace {

using ::testing::HasSubstr;

// Two layers, all of which is smoothed.
ScalePack SmoothedPack() {
  ScalePack pack = SamplePack(2);
  pack.spec_json = "{}";
  for (const int layer : {0, 1}) {
    const float first = static_cast<float>(layer + 1) / 4;
    pack.smoothing_factors[{layer, SiteKind::kQkvIn}] = {first, 1, 3};
    pack.smoothing_factors[{layer, SiteKind::kGateUpIn}] = {first, 2, 5};
    pack.smoothing_factors[{layer, SiteKind::kDownIn}] = {first, 7, 9, 11};
  }
  return pack;
}

class ScalePackTest : public testing::Test {
 protected:
  absl::StatusOr<ScalePack> Load(absl::string_view bytes) const {
    std::ofstream(path_, std::ios::binary | std::ios::trunc).write(bytes.data(), bytes.size());
    return LoadScalePack(path_);
  }

  const TemporaryFolder folder_;
  const std::string path_ = folder_.Path("scales.safetensors");
};

TEST_F(ScalePackTest, RoundTripKeepsEverything) {
  ScalePack pack = SamplePack(3);
  const absl::StatusOr<std::string> bytes = SerializeScalePack(pack);
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  const absl::StatusOr<ScalePack> loaded = Load(*bytes);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  pack.spec_json = CanonicalJson(pack.spec_json, "spec").value();
  EXPECT_EQ(*loaded, pack);
  EXPECT_EQ(SerializeScalePack(*loaded).value(), *bytes);
}

TEST_F(ScalePackTest, SitesThatAreNotStaticAndAPrefixComeBack) {
  ScalePack pack = SamplePack(2);
  pack.spec_json = "{}";
  pack.first_token = "prefix";
  pack.prefix_tokens = {1, 40000};
  for (const SiteId site : {SiteId{0, SiteKind::kDownIn}, SiteId{1, SiteKind::kDownIn}}) {
    pack.prefill_scales.erase(site);
    pack.float_sites.insert(site);
  }
  pack.prefill_scales.erase({1, SiteKind::kOIn});
  pack.dynamic_sites.insert({1, SiteKind::kOIn});
  EXPECT_EQ(Load(SerializeScalePack(pack).value()).value(), pack);
}

TEST_F(ScalePackTest, SmoothingFactorsComeBack) {
  const ScalePack pack = SmoothedPack();
  const std::string bytes = SerializeScalePack(pack).value();
  EXPECT_EQ(Load(bytes).value(), pack);
  ScalePack other = pack;
  other.smoothing_factors[{1, SiteKind::kDownIn}][2] *= 2;
  EXPECT_NE(SerializeScalePack(other).value(), bytes);
}

TEST_F(ScalePackTest, EqualSpecsInAnySpellingGiveEqualBytes) {
  ScalePack one = SamplePack(1);
  ScalePack other = one;
  one.spec_json = R"({"b": 1.50, "a": "\u00e9"})";
  other.spec_json = "{\"a\":\"\xc3\xa9\",\n \"b\":1.5}";
  EXPECT_EQ(SerializeScalePack(one).value(), SerializeScalePack(other).value());
}

// The bytes of format version 3, spelled out. If this fails, the format changed: give it a new
// version.
TEST_F(ScalePackTest, GoldenBytes) {
  ScalePack pack = SamplePack(1);
  pack.spec_json = "{}";
  pack.smoothing_factors[{0, SiteKind::kQkvIn}] = {2, 1.5};
  const std::string bytes = SerializeScalePack(pack).value();
  const std::string header =
      R"({"__metadata__":{"base_weight_sha256":")" + std::string(64, 'a') +
      R"(","code_version":"0.1.0","content_sha256":")"
      R"(1bfe3a82bbbfffdebc1f98185c6347d9a12fefe331fea70c47274679b0f32d82)"
      R"(","dynamic_sites":"","first_token":"quantized","float_sites":"","format_version":"3",)"
      R"("layer_count":"1","method":"sasq","prefix_tokens":"",)"
      R"("smoothed_sites":"layers.0.qkv_in","spec":"{}"},)"
      R"("prefill.layers.0.down_in":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
      R"("prefill.layers.0.gate_up_in":{"dtype":"F32","shape":[1],"data_offsets":[4,8]},)"
      R"("prefill.layers.0.o_in":{"dtype":"F32","shape":[1],"data_offsets":[8,12]},)"
      R"("prefill.layers.0.qkv_in":{"dtype":"F32","shape":[1],"data_offsets":[12,16]},)"
      R"("smoothing.layers.0.qkv_in":{"dtype":"F32","shape":[2],"data_offsets":[16,24]}})";
  EXPECT_EQ(absl::StrReplaceAll(bytes.substr(8, header.size()), {{" ", ""}}), header);
  // 0.5, 0.375, 0.25 and 0.125: down, gate/up, o and qkv in little-endian F32; then the factors.
  const unsigned char numbers[] = {0, 0, 0, 0x3f, 0, 0, 0xc0, 0x3e, 0, 0, 0x80, 0x3e,
                                   0, 0, 0, 0x3e, 0, 0, 0,    0x40, 0, 0, 0xc0, 0x3f};
  EXPECT_EQ(bytes.substr(bytes.size() - sizeof(numbers)),
            std::string(reinterpret_cast<const char*>(numbers), sizeof(numbers)));
}

// The bytes that format version 2 had.
TEST_F(ScalePackTest, ReadsVersion2) {
  ScalePack pack = SamplePack(1);
  pack.spec_json = "{}";
  std::string header =
      R"({"__metadata__":{"base_weight_sha256":")" + std::string(64, 'a') +
      R"(","code_version":"0.1.0","content_sha256":")"
      R"(5a0d9ce1a9da4c2c4be496586e8203cd5e0e14217e8516efe58d2e85fc327f93)"
      R"(","dynamic_sites":"","first_token":"quantized","float_sites":"","format_version":"2",)"
      R"("layer_count":"1","method":"sasq","prefix_tokens":"","spec":"{}"},)"
      R"("prefill.layers.0.down_in":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
      R"("prefill.layers.0.gate_up_in":{"dtype":"F32","shape":[1],"data_offsets":[4,8]},)"
      R"("prefill.layers.0.o_in":{"dtype":"F32","shape":[1],"data_offsets":[8,12]},)"
      R"("prefill.layers.0.qkv_in":{"dtype":"F32","shape":[1],"data_offsets":[12,16]}})";
  const std::string scales =
      SerializeScalePack(pack).value().substr(SerializeScalePack(pack).value().size() - 16);
  const auto file = [&] {
    return absl::StrCat(std::string(1, static_cast<char>(header.size() % 256)),
                        std::string(1, static_cast<char>(header.size() / 256)),
                        std::string(6, '\0'), header, scales);
  };
  const absl::StatusOr<ScalePack> loaded = Load(file());
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(*loaded, pack);
  // It knows nothing of smoothing.
  header = absl::StrReplaceAll(header, {{R"("spec":)", R"("smoothed_sites":"","spec":)"}});
  EXPECT_THAT(std::string(Load(file()).status().message()),
              HasSubstr("unknown key \"smoothed_sites\""));
}

TEST_F(ScalePackTest, EveryTruncationIsRefused) {
  const std::string bytes = SerializeScalePack(SmoothedPack()).value();
  ASSERT_TRUE(Load(bytes).ok());
  for (size_t size = bytes.size(); size-- > 0;) {
    std::filesystem::resize_file(path_, size);
    EXPECT_FALSE(LoadScalePack(path_).ok()) << "first " << size << " bytes";
  }
}

TEST_F(ScalePackTest, EveryBitFlipIsRefusedOrHarmless) {
  const std::string bytes = SerializeScalePack(SmoothedPack()).value();
  const ScalePack original = Load(bytes).value();
  std::fstream file(path_, std::ios::binary | std::ios::in | std::ios::out);
  const auto put = [&file](size_t offset, char byte) {
    file.seekp(static_cast<std::streamoff>(offset)).put(byte).flush();
  };
  for (size_t i = 0; i < bytes.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      put(i, static_cast<char>(bytes[i] ^ (1 << bit)));
      const absl::StatusOr<ScalePack> loaded = LoadScalePack(path_);
      if (loaded.ok()) {
        EXPECT_EQ(*loaded, original) << "byte " << i << ", bit " << bit;
      }
    }
    put(i, bytes[i]);
  }
  EXPECT_TRUE(LoadScalePack(path_).ok());
}

// Breaks one rule when writing.
struct WriteCase {
  std::string name;
  std::function<void(ScalePack&)> spoil;
  std::string message;
};

TEST_F(ScalePackTest, WriterNamesTheRuleThatIsBroken) {
  const float infinity = std::numeric_limits<float>::infinity();
  const SiteId site{1, SiteKind::kDownIn};
  const std::vector<WriteCase> cases = {
      {"infinite", [&](ScalePack& p) { p.prefill_scales[site] = infinity; },
       "prefill.layers.1.down_in is inf, want a finite scale greater than 0"},
      {"nan", [&](ScalePack& p) { p.prefill_scales[site] = std::nanf(""); },
       "prefill.layers.1.down_in is nan"},
      {"zero", [&](ScalePack& p) { p.prefill_scales[site] = 0; }, "prefill.layers.1.down_in is 0"},
      {"negative", [&](ScalePack& p) { p.prefill_scales[site] = -1; }, "down_in is -1"},
      {"missing", [&](ScalePack& p) { p.prefill_scales.erase(site); },
       "prefill.layers.1.down_in is missing, want every site of 3 layers"},
      {"extra",
       [&](ScalePack& p) {
         p.prefill_scales[{3, SiteKind::kOIn}] = 1;
       },
       "prefill.layers.3.o_in is not a site of a model with 3 layers"},
      {"layers", [&](ScalePack& p) { p.layer_count = 0; }, "layer_count is \"0\", want 1..4096"},
      {"method", [&](ScalePack& p) { p.method = "sa sq"; }, "method is \"sa sq\""},
      {"prefix without tokens", [&](ScalePack& p) { p.first_token = "prefix"; },
       "prefix_tokens is \"\""},
      {"tokens without a prefix",
       [&](ScalePack& p) {
         p.prefix_tokens = {1, 2};
       },
       "prefix_tokens is \"1,2\""},
      {"static and float", [&](ScalePack& p) { p.float_sites.insert(site); },
       "prefill.layers.1.down_in is static and not static at once"},
      {"dynamic site of no layer",
       [&](ScalePack& p) {
         p.dynamic_sites.insert({3, SiteKind::kOIn});
       },
       "prefill.layers.3.o_in is not a site of a model with 3 layers"},
      {"first token", [&](ScalePack& p) { p.first_token = ""; }, "first_token is \"\""},
      {"digest", [&](ScalePack& p) { p.base_weight_sha256 = "A"; }, "base_weight_sha256 is \"A\""},
      {"version", [&](ScalePack& p) { p.code_version = "a\nb"; }, "code_version"},
      {"factors of no layer",
       [](ScalePack& p) {
         p.smoothing_factors[{3, SiteKind::kQkvIn}] = {1};
       },
       "smoothing.layers.3.qkv_in is not a site of a model with 3 layers"},
      {"factors of o_in",
       [](ScalePack& p) {
         p.smoothing_factors[{1, SiteKind::kOIn}] = {1};
       },
       "smoothing.layers.1.o_in: sites of this kind are never smoothed"},
      {"no factors",
       [](ScalePack& p) {
         p.smoothing_factors[{1, SiteKind::kQkvIn}] = {};
       },
       "smoothing.layers.1.qkv_in has 0 channels, want at least 1"},
      {"fewer factors",
       [](ScalePack& p) {
         p.smoothing_factors[{0, SiteKind::kQkvIn}] = {1, 2};
         p.smoothing_factors[{1, SiteKind::kQkvIn}] = {1};
       },
       "smoothing.layers.1.qkv_in has 1 channels, want 2 as in the layers before"},
      {"infinite factor",
       [&](ScalePack& p) {
         p.smoothing_factors[{0, SiteKind::kQkvIn}] = {1, infinity};
       },
       "smoothing.layers.0.qkv_in has inf, want finite factors greater than 0"},
      {"nan factor",
       [&](ScalePack& p) {
         p.smoothing_factors[{0, SiteKind::kQkvIn}] = {std::nanf("")};
       },
       "smoothing.layers.0.qkv_in has nan"},
      {"factor of zero",
       [](ScalePack& p) {
         p.smoothing_factors[{0, SiteKind::kQkvIn}] = {0};
       },
       "smoothing.layers.0.qkv_in has 0,"},
      {"negative factor",
       [](ScalePack& p) {
         p.smoothing_factors[{0, SiteKind::kQkvIn}] = {-1};
       },
       "smoothing.layers.0.qkv_in has -1,"},
      {"too many factors",
       [](ScalePack& p) {
         p.smoothing_factors[{0, SiteKind::kQkvIn}].assign(kScalePackMaxFactors + 1, 1);
       },
       "count of smoothing factors is \"4194305\", want at most 4194304"},
      {"spec", [&](ScalePack& p) { p.spec_json = "[1]"; }, "spec is not a JSON object"},
      {"deep spec",
       [&](ScalePack& p) {
         p.spec_json = "{\"a\":" + std::string(99, '[') + std::string(99, ']') + "}";
       },
       "spec nests deeper than 64 levels"},
  };
  for (const WriteCase& test : cases) {
    ScalePack pack = SamplePack(3);
    test.spoil(pack);
    const absl::Status status = SerializeScalePack(pack).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << test.name;
    EXPECT_THAT(std::string(status.message()), HasSubstr(test.message)) << test.name;
  }
}

// A safetensors file that is sound, but no pack.
struct ReadCase {
  std::string name;
  std::function<void(std::map<std::string, std::string>&, std::vector<TensorToWrite>&)> spoil;
  absl::StatusCode code;
  std::string message;
};

TEST_F(ScalePackTest, ReaderNamesTheRuleThatIsBroken) {
  using Metadata = std::map<std::string, std::string>;
  using Tensors = std::vector<TensorToWrite>;
  const std::string eight(8, '\0');
  const auto invalid = absl::StatusCode::kInvalidArgument;
  const std::vector<ReadCase> cases = {
      {"version", [](Metadata& m, Tensors&) { m["format_version"] = "1"; },
       absl::StatusCode::kUnimplemented, "format_version is \"1\", this program reads 2 and 3"},
      {"newer version", [](Metadata& m, Tensors&) { m["format_version"] = "4"; },
       absl::StatusCode::kUnimplemented, "format_version is \"4\""},
      {"no version", [](Metadata& m, Tensors&) { m.erase("format_version"); }, invalid,
       "metadata has no format_version"},
      {"no digest", [](Metadata& m, Tensors&) { m.erase("content_sha256"); }, invalid,
       "metadata has no content_sha256"},
      {"extra key", [](Metadata& m, Tensors&) { m["format"] = "pt"; }, invalid,
       "unknown key \"format\""},
      {"layers", [](Metadata& m, Tensors&) { m["layer_count"] = "one"; }, invalid,
       "layer_count is \"one\""},
      {"more layers", [](Metadata& m, Tensors&) { m["layer_count"] = "3"; }, invalid,
       "prefill.layers.2.qkv_in is missing"},
      {"other method", [](Metadata& m, Tensors&) { m["method"] = "static_mse"; }, invalid,
       "the file is damaged"},
      {"site twice",
       [](Metadata& m, Tensors&) { m["float_sites"] = "layers.0.o_in,layers.0.o_in"; }, invalid,
       "float_sites is \"layers.0.o_in,layers.0.o_in\""},
      {"no site", [](Metadata& m, Tensors&) { m["dynamic_sites"] = "layers.0.up_in"; }, invalid,
       "dynamic_sites is \"layers.0.up_in\""},
      {"no token", [](Metadata& m, Tensors&) { m["prefix_tokens"] = "1,two"; }, invalid,
       "prefix_tokens is \"1,two\""},
      {"phase", [](Metadata&, Tensors& t) { t[0].name = "decode.layers.0.down_in"; }, invalid,
       "tensor \"decode.layers.0.down_in\" is not the scale and not the smoothing factors"},
      {"kind", [](Metadata&, Tensors& t) { t[0].name = "prefill.layers.0.up_in"; }, invalid,
       "tensor \"prefill.layers.0.up_in\" is not the scale and not the smoothing factors"},
      {"dtype",
       [&](Metadata&, Tensors& t) {
         t[0].dtype = Dtype::kF64;
         t[0].bytes = eight;
       },
       invalid, "is F64 of rank 1, want F32 of shape [1]"},
      {"factors missing", [](Metadata&, Tensors& t) { t.pop_back(); }, invalid,
       "smoothing.layers.1.qkv_in is missing, want it for each site of smoothed_sites"},
      {"factors extra",
       [](Metadata& m, Tensors&) { m["smoothed_sites"] = "layers.0.qkv_in,layers.0.down_in"; },
       invalid, "smoothing.layers.0.gate_up_in is there, but not named in smoothed_sites"},
      {"smoothed sites out of order",
       [](Metadata& m, Tensors&) { m["smoothed_sites"] = "layers.0.down_in,layers.0.qkv_in"; },
       invalid, "smoothed_sites is"},
      {"factors of two ranks",
       [](Metadata&, Tensors& t) {
         t.back().shape = {3, 1};
       },
       invalid, "smoothing.layers.1.qkv_in is F32 of rank 2, want F32 of shape [channels]"},
      {"factors that are none",
       [&](Metadata&, Tensors& t) {
         t.back().shape = {2};
         t.back().bytes = eight;
       },
       invalid, "smoothing.layers.1.qkv_in has 2 channels, want 3"},
      {"factors exchanged",
       [](Metadata&, Tensors& t) { std::swap(t.back().bytes, t[t.size() - 2].bytes); }, invalid,
       "the file is damaged"},
      {"shape", [](Metadata&, Tensors& t) { t[0].shape = {}; }, invalid,
       "is F32 of rank 0, want F32 of shape [1]"},
  };
  const std::string good = SerializeScalePack(SmoothedPack()).value();
  ASSERT_TRUE(Load(good).ok());
  const std::unique_ptr<const SafetensorsFile> file = SafetensorsFile::Open(path_).value();
  const std::string copy = absl::StrCat(path_, ".copy");
  for (const ReadCase& test : cases) {
    Metadata metadata = file->metadata();
    Tensors tensors;
    for (const auto& [name, view] : file->tensors()) {
      tensors.push_back({name, view.dtype, view.shape, view.bytes});
    }
    test.spoil(metadata, tensors);
    std::ofstream(copy, std::ios::binary | std::ios::trunc)
        << SerializeSafetensors(tensors, metadata).value();
    const absl::Status status = LoadScalePack(copy).status();
    EXPECT_EQ(status.code(), test.code) << test.name << ": " << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(test.message)) << test.name;
    EXPECT_THAT(std::string(status.message()), HasSubstr("scale pack: ")) << test.name;
  }
}

TEST_F(ScalePackTest, BelongsToItsWeights) {
  const ScalePack pack = SamplePack(1);
  EXPECT_TRUE(CheckBaseWeights(pack, pack.base_weight_sha256).ok());
  const absl::Status status = CheckBaseWeights(pack, std::string(64, 'b'));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("digest aaaaaaaaaaaa, but the model's is bbbbbbbbbbbb"));
}

TEST_F(ScalePackTest, MissingFileNamesThePath) {
  const absl::Status status = LoadScalePack("/nowhere/scales.safetensors").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("/nowhere/scales.safetensors"));
}

}  // namespace
}  // namespace sasq
