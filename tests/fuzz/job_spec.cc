// A job's spec, as JSON or as the bytes of its message: one that is accepted is complete, and can
// be checked against a model.
#include <google/protobuf/stubs/logging.h>
#include <google/protobuf/util/json_util.h>

#include <string>

#include "absl/strings/match.h"
#include "common/status_macros.h"
#include "server/spec_validation.h"
#include "tests/fuzz/fuzz_target.h"

namespace sasq::testing {
namespace {

constexpr absl::string_view kConfig = R"({
    "architectures": ["LlamaForCausalLM"], "hidden_size": 576, "intermediate_size": 1536,
    "num_hidden_layers": 30, "num_attention_heads": 9, "num_key_value_heads": 3,
    "vocab_size": 49152, "max_position_embeddings": 8192, "rms_norm_eps": 1e-5})";

bool Parse(absl::string_view bytes, v1::JobSpec* spec) {
  const std::string text(bytes);
  if (!absl::StartsWith(text, "{")) return spec->ParseFromString(text);
  return google::protobuf::util::JsonStringToMessage(text, spec).ok();
}

void Run(absl::string_view bytes) {
  const google::protobuf::LogSilencer silencer;
  v1::JobSpec spec;
  if (!Parse(bytes, &spec)) return;
  const absl::StatusOr<v1::JobSpec> complete = CompleteSpec(spec);
  if (!complete.ok()) {
    SASQ_CHECK(absl::IsInvalidArgument(complete.status()) &&
               ReasonOf(complete.status()) == "INVALID_SPEC");
    return;
  }
  const absl::StatusOr<v1::JobSpec> again = CompleteSpec(*complete);
  SASQ_CHECK(again.ok() && SpecFingerprint(*again) == SpecFingerprint(*complete));
  static const ModelConfig config = ParseModelConfig(kConfig).value();
  CheckAgainstModel(*complete, config);
}

}  // namespace
}  // namespace sasq::testing

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  sasq::testing::Run(sasq::testing::TextOf(data, size));
  return 0;
}
