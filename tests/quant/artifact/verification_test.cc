// Manifest, attestation and verification: one artifact, and every way in which it can differ.
#include "quant/artifact/verification.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/escaping.h"
#include "absl/strings/str_replace.h"
#include "common/file.h"
#include "common/sha256.h"
#include "quant/artifact/artifact.h"
#include "quant/artifact/attestation.h"
#include "quant/artifact/canonical_json.h"
#include "quant/artifact/dsse.h"
#include "quant/format/checkpoint.h"
#include "quant/format/safetensors.h"
#include "tests/quant/artifact/sample.h"
#include "tests/support/key_pair.h"
#include "tests/support/temporary_folder.h"

namespace sasq {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kTrain[] = "text to train on";
constexpr char kEval[] = "text to measure on";

Ed25519PrivateKey PrivateKey(const KeyPair& pair) {
  return Ed25519PrivateKey::FromPem(pair.private_pem, std::nullopt, "key.pem").value();
}

// A folder with an artifact, and what it was made from.
class VerificationTest : public ::testing::Test {
 protected:
  VerificationTest() {
    const float weight = 1;
    const absl::string_view bytes(reinterpret_cast<const char*>(&weight), sizeof(weight));
    model_.Write("model.safetensors",
                 SerializeSafetensors({{"w", Dtype::kF32, {1}, bytes}}, {}).value());
    train_ = inputs_.Write("train.txt", kTrain);
    eval_ = inputs_.Write("eval.txt", kEval);
    ScalePack pack = SamplePack(2);
    pack.base_weight_sha256 = Checkpoint::Open(model_.path()).value()->Digest();
    Report report = SampleReport();
    report.provenance.inputs = {{"model", "file:/m", pack.base_weight_sha256},
                                {"training_text", "file:/t", Sha256Hex(kTrain)},
                                {"evaluation_text", "file:/e", Sha256Hex(kEval)}};
    report.provenance.spec_json = pack.spec_json;
    const std::vector<NamedFile> files = AssembleArtifact(pack, report).value();
    for (const NamedFile& file : files) {
      folder_.Write(file.file_name, file.content);
    }
    inputs_of_check_.folder = folder_.path();
  }

  std::string Read(const std::string& name) const {
    return ReadFile(folder_.path() + "/" + name, 64 << 20).value();
  }
  std::vector<Check> Verify() const {
    const auto manifest = ReadManifest(folder_.path());
    EXPECT_TRUE(manifest.ok()) << manifest.status();
    const auto checks = VerifyArtifact(*manifest, inputs_of_check_);
    EXPECT_TRUE(checks.ok()) << checks.status();
    return checks.value_or(std::vector<Check>());
  }
  // What differs, each as `what: detail`.
  std::vector<std::string> Differences() const {
    std::vector<std::string> differences;
    for (const Check& check : Verify()) {
      if (!check.passed) differences.push_back(check.what + ": " + check.detail);
    }
    return differences;
  }
  // Rewrites the manifest.
  void Edit(const std::function<void(json&)>& change) const {
    json manifest = json::parse(Read("manifest.json"));
    change(manifest);
    folder_.Write("manifest.json", manifest.dump());
  }
  std::string Sign(const KeyPair& pair) const {
    const FolderManifest manifest = ReadManifest(folder_.path()).value();
    return SignEnvelope(kStatementPayloadType,
                        ProvenanceStatement(manifest.manifest, manifest.json), PrivateKey(pair));
  }
  void Trust(const KeyPair& pair, const std::string& envelope) {
    inputs_of_check_.attestation = inputs_.Write("attestation", envelope);
    inputs_of_check_.public_key = PrivateKey(pair).public_key();
  }

  const TemporaryFolder folder_, model_, inputs_;
  std::string train_, eval_;
  VerificationInputs inputs_of_check_;
};

TEST_F(VerificationTest, EverythingHolds) {
  inputs_of_check_.model_folder = model_.path();
  inputs_of_check_.texts = {train_, eval_};
  const KeyPair pair = NewKeyPair();
  Trust(pair, Sign(pair));
  EXPECT_THAT(Differences(), IsEmpty());
  std::vector<std::string> names;
  for (const Check& check : Verify()) names.push_back(check.what);
  EXPECT_THAT(names, ElementsAre("scales.safetensors", "report.json", "report.html", "report.md",
                                 "scale pack", "scale pack: base weights", "scale pack: spec",
                                 "model", "text " + train_, "text " + eval_, "attestation"));
}

TEST_F(VerificationTest, AComparisonHasNoPackToLookAt) {
  const TemporaryFolder folder;
  const std::vector<NamedFile> files = AssembleArtifact(std::nullopt, SampleComparison()).value();
  for (const NamedFile& file : files) {
    folder.Write(file.file_name, file.content);
  }
  inputs_of_check_.folder = folder.path();
  const auto manifest = ReadManifest(folder.path());
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  EXPECT_EQ(VerifyArtifact(*manifest, inputs_of_check_)->size(), 3u);
}

TEST_F(VerificationTest, EveryFlippedByteOfThePackIsFound) {
  const std::string good = Read("scales.safetensors");
  for (size_t i = 0; i < good.size(); i += 7) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x20);
    folder_.Write("scales.safetensors", bad);
    ASSERT_FALSE(Differences().empty()) << "byte " << i;
    EXPECT_THAT(Differences()[0], HasSubstr("scales.safetensors: sha256 is "));
  }
  folder_.Write("scales.safetensors", good.substr(1));
  EXPECT_THAT(Differences()[0], HasSubstr("bytes, want "));
}

TEST_F(VerificationTest, AFileThatIsGoneIsNamed) {
  std::filesystem::remove(folder_.path() + "/report.md");
  ASSERT_EQ(Differences().size(), 1u);
  EXPECT_THAT(Differences()[0], HasSubstr("report.md: "));
}

TEST_F(VerificationTest, APackOfOtherWeightsOrAnotherSpecIsFoundDespiteItsDigest) {
  ScalePack pack = LoadScalePack(folder_.path() + "/scales.safetensors").value();
  pack.base_weight_sha256 = Sha256Hex("other weights");
  pack.spec_json = "{}";
  const std::string bytes = SerializeScalePack(pack).value();
  folder_.Write("scales.safetensors", bytes);
  Edit([&](json& manifest) {
    manifest["files"][0]["sha256"] = Sha256Hex(bytes);
    manifest["files"][0]["size_bytes"] = bytes.size();
  });
  ASSERT_EQ(Differences().size(), 2u);
  EXPECT_THAT(Differences()[0], HasSubstr("scale pack: base weights: sha256 is "));
  EXPECT_THAT(Differences()[1], HasSubstr("scale pack: spec: sha256 is "));
}

TEST_F(VerificationTest, OtherInputsAreFound) {
  const TemporaryFolder other;
  other.Write("model.safetensors", SerializeSafetensors({}, {}).value());
  inputs_of_check_.model_folder = other.path();
  inputs_of_check_.texts = {train_, inputs_.Write("other.txt", "another text")};
  ASSERT_EQ(Differences().size(), 2u);
  EXPECT_THAT(Differences()[0], HasSubstr("model: sha256 is "));
  EXPECT_THAT(Differences()[1], HasSubstr("want that of training_text "));
}

TEST_F(VerificationTest, InputsThatCannotBeReadAreErrors) {
  const FolderManifest manifest = ReadManifest(folder_.path()).value();
  inputs_of_check_.texts = {inputs_.path() + "/nowhere"};
  EXPECT_EQ(VerifyArtifact(manifest, inputs_of_check_).status().code(),
            absl::StatusCode::kNotFound);
  inputs_of_check_.texts.clear();
  inputs_of_check_.model_folder = inputs_.path();
  EXPECT_EQ(VerifyArtifact(manifest, inputs_of_check_).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReadManifest(inputs_.path()).status().code(), absl::StatusCode::kNotFound);
  inputs_.Write("manifest.json", "{");
  EXPECT_EQ(ReadManifest(inputs_.path()).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(VerificationTest, AnotherKeyDoesNotVouch) {
  Trust(NewKeyPair(), Sign(NewKeyPair()));
  ASSERT_EQ(Differences().size(), 1u);
  EXPECT_THAT(Differences()[0], HasSubstr("none of its 1 signature is that of the public key"));
}

TEST_F(VerificationTest, OneGoodSignatureAmongOthersIsEnoughInEitherAlphabet) {
  const KeyPair pair = NewKeyPair();
  json mine = json::parse(Sign(pair));
  json envelope = json::parse(Sign(NewKeyPair()));
  std::string sig = mine["signatures"][0]["sig"];
  mine["signatures"][0]["sig"] = absl::StrReplaceAll(sig, {{"+", "-"}, {"/", "_"}});
  mine["signatures"][0]["keyid"] = "a hint that is not looked at";
  envelope["signatures"].push_back(mine["signatures"][0]);
  Trust(pair, envelope.dump());
  EXPECT_THAT(Differences(), IsEmpty());
}

TEST_F(VerificationTest, WhatWasSignedOfOtherFilesDoesNotVouch) {
  const KeyPair pair = NewKeyPair();
  Trust(pair, Sign(pair));
  Edit([](json& manifest) { manifest["rejected"] = true; });
  ASSERT_EQ(Differences().size(), 1u);
  EXPECT_THAT(Differences()[0], HasSubstr("attestation: says that manifest.json has sha256 "));
  Edit([](json& manifest) { manifest["files"].erase(3); });
  EXPECT_THAT(Differences()[0], HasSubstr("says that manifest.json"));
}

TEST_F(VerificationTest, EveryFlippedByteOfAnEnvelopeIsFound) {
  const KeyPair pair = NewKeyPair();
  const std::string good = Sign(pair);
  const Ed25519PublicKey key = PrivateKey(pair).public_key();
  const std::string payload = OpenEnvelope(good, kStatementPayloadType, key, "a").value();
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x01);
    const auto opened = OpenEnvelope(bad, kStatementPayloadType, key, "a");
    // A key id is a hint, and unused bits of base64's last digit say nothing: the payload stays.
    EXPECT_EQ(opened.value_or(payload), payload) << "byte " << i;
  }
  EXPECT_FALSE(OpenEnvelope(good.substr(0, good.size() / 2), kStatementPayloadType, key, "a").ok());
}

TEST(DsseTest, EncodesAsTheProtocolsExampleDoes) {
  EXPECT_EQ(DsseEncoding("http://example.com/HelloWorld", "hello world"),
            "DSSEv1 29 http://example.com/HelloWorld 11 hello world");
  EXPECT_EQ(DsseEncoding("t\u00e9", ""), "DSSEv1 3 t\u00e9 0 ") << "bytes, not characters";
}

TEST(DsseTest, EnvelopesOfAnotherTypeOrFormAreRefused) {
  const KeyPair pair = NewKeyPair();
  const Ed25519PublicKey key = PrivateKey(pair).public_key();
  const std::string other = SignEnvelope("text/plain", "x", PrivateKey(pair));
  EXPECT_THAT(std::string(OpenEnvelope(other, kStatementPayloadType, key, "a").status().message()),
              HasSubstr("a: payloadType is \"text/plain\", want application/vnd.in-toto+json"));
  EXPECT_EQ(OpenEnvelope(other, "text/plain", key, "a").value(), "x");
  for (const char* text :
       {"", "[]", "{}", R"({"payload": "?", "payloadType": "text/plain", "signatures": []})",
        R"({"payload": "eA==", "payloadType": "text/plain", "signatures": [1]})",
        R"({"payload": "eA==", "payloadType": "text/plain", "signatures": [{"sig": 1}]})"}) {
    EXPECT_EQ(OpenEnvelope(text, "text/plain", key, "a").status().code(),
              absl::StatusCode::kInvalidArgument)
        << text;
  }
  EXPECT_EQ(OpenEnvelope(R"({"payload": "eA==", "payloadType": "text/plain", "signatures": []})",
                         "text/plain", key, "a")
                .status()
                .code(),
            absl::StatusCode::kPermissionDenied);
}

TEST(StatementTest, SaysWhatTheArtifactIsAndWhereItComesFrom) {
  const auto files = AssembleArtifact(SamplePack(2), SampleReport()).value();
  const std::string& manifest_json = files.back().content;
  const Manifest manifest = ParseManifest(manifest_json, "m").value();
  const std::string text = ProvenanceStatement(manifest, manifest_json);
  const json statement = json::parse(text);
  EXPECT_EQ(statement["_type"], "https://in-toto.io/Statement/v1");
  EXPECT_EQ(statement["predicateType"], "https://slsa.dev/provenance/v1");
  ASSERT_EQ(statement["subject"].size(), 5u);
  const json& definition = statement["predicate"]["buildDefinition"];
  EXPECT_EQ(definition["externalParameters"]["spec"],
            json::parse(SampleReport().provenance.spec_json));
  EXPECT_EQ(definition["internalParameters"]["kernel_path"], "avx512_vnni");
  EXPECT_EQ(definition["resolvedDependencies"][0]["name"], "model");
  EXPECT_TRUE(definition["resolvedDependencies"][0]["digest"].contains("sasqBaseWeights"));
  EXPECT_TRUE(definition["resolvedDependencies"][1]["digest"].contains("sha256"));
  const auto subjects = ParseStatement(text, "s");
  ASSERT_TRUE(subjects.ok()) << subjects.status();
  EXPECT_EQ(*subjects, SubjectsOf(manifest, manifest_json));
  EXPECT_EQ(subjects->at("manifest.json"), Sha256Hex(manifest_json));
  EXPECT_EQ(ProvenanceStatement(manifest, manifest_json), text) << "the same bytes";
}

TEST(StatementTest, OthersAreRefused) {
  const auto refused = [](const std::function<void(json&)>& change) {
    json statement = {{"_type", "https://in-toto.io/Statement/v1"},
                      {"predicateType", "https://slsa.dev/provenance/v1"},
                      {"subject", {{{"name", "a"}, {"digest", {{"sha256", Sha256Hex("a")}}}}}}};
    EXPECT_TRUE(ParseStatement(statement.dump(), "s").ok());
    change(statement);
    return ParseStatement(statement.dump(), "s").status().code() ==
           absl::StatusCode::kInvalidArgument;
  };
  EXPECT_TRUE(refused([](json& s) { s["_type"] = "https://in-toto.io/Statement/v0.1"; }));
  EXPECT_TRUE(refused([](json& s) { s["predicateType"] = "https://slsa.dev/provenance/v0.2"; }));
  EXPECT_TRUE(refused([](json& s) { s.erase("subject"); }));
  EXPECT_TRUE(refused([](json& s) { s["subject"].push_back(s["subject"][0]); }));
  EXPECT_TRUE(refused([](json& s) { s["subject"][0].erase("name"); }));
  EXPECT_TRUE(refused([](json& s) { s["subject"][0]["digest"] = {{"md5", "abc"}}; }));
}

TEST(ManifestTest, RoundTrip) {
  Manifest manifest;
  manifest.files = {{"scales.safetensors", Sha256Hex("s"), 7, true},
                    {"report.json", Sha256Hex("r"), 0, false}};
  manifest.rejected = true;
  manifest.provenance = SampleReport().provenance;
  manifest.provenance.spec_json = CanonicalJson(manifest.provenance.spec_json, "spec").value();
  const auto read = ParseManifest(ManifestJson(manifest), "m");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, manifest);
}

TEST(ManifestTest, WrongFieldsAreNamed) {
  Manifest manifest;
  manifest.files = {{"scales.safetensors", Sha256Hex("s"), 7, true}};
  manifest.provenance = SampleReport().provenance;
  const std::string good = ManifestJson(manifest);
  const std::pair<const char*, std::function<void(json&)>> cases[] = {
      {"m: files ", [](json& m) { m["files"] = 1; }},
      {"files[0]: file_name", [](json& m) { m["files"][0]["file_name"] = "../key"; }},
      {"files[0]: file_name", [](json& m) { m["files"][0]["file_name"] = "manifest.json"; }},
      {"files[1]: file_name", [](json& m) { m["files"].push_back(m["files"][0]); }},
      {"files[0]: sha256", [](json& m) { m["files"][0]["sha256"] = "ABC"; }},
      {"files[0]: size_bytes", [](json& m) { m["files"][0]["size_bytes"] = -1; }},
      {"files[0]: reproducible", [](json& m) { m["files"][0].erase("reproducible"); }},
      {"rejected", [](json& m) { m["rejected"] = "no"; }},
      {"provenance", [](json& m) { m["provenance"] = nullptr; }},
      {"provenance: code_version", [](json& m) { m["provenance"]["code_version"] = 1; }},
      {"provenance: thread_count", [](json& m) { m["provenance"]["thread_count"] = 1ull << 40; }},
      {"provenance: inputs[0]: uri", [](json& m) { m["provenance"]["inputs"][0].erase("uri"); }},
      {"provenance: spec_sha256", [](json& m) { m["provenance"]["spec"]["seed"] = "77"; }},
      {"provenance: spec", [](json& m) { m["provenance"]["spec"] = "x"; }},
  };
  for (const auto& [field, spoil] : cases) {
    json bad = json::parse(good);
    spoil(bad);
    const auto read = ParseManifest(bad.dump(), "m");
    EXPECT_EQ(read.status().code(), absl::StatusCode::kInvalidArgument) << field;
    EXPECT_THAT(std::string(read.status().message()), HasSubstr(field));
  }
  json newer = json::parse(good);
  newer["format_version"] = 3;
  EXPECT_EQ(ParseManifest(newer.dump(), "m").status().code(),
            absl::StatusCode::kFailedPrecondition);
  const std::string deep = R"({"\"[[": )" + std::string(1'000'000, '[');
  EXPECT_THAT(std::string(ParseManifest(deep, "m").status().message()),
              HasSubstr("m nests too deep"));
  for (size_t i = 0; i + 1 < good.size(); ++i) {
    EXPECT_FALSE(ParseManifest(good.substr(0, i), "m").ok()) << "cut at " << i;
  }
}

}  // namespace
}  // namespace sasq
