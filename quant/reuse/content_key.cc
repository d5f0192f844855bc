#include "quant/reuse/content_key.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/sha256.h"

namespace sasq {
namespace {

// What stays of a text is how its bytes are read.
void ForgetSource(v1::TextSource& text) {
  text.clear_uri();
  text.clear_file();
}

void ForgetSources(google::protobuf::RepeatedPtrField<v1::NamedText>& texts) {
  for (v1::NamedText& named : texts) ForgetSource(*named.mutable_text());
}

v1::JobSpec WhatIsComputed(const v1::JobSpec& spec) {
  v1::JobSpec computed = spec;
  computed.clear_display_name();
  computed.clear_model();
  computed.clear_max_attempts();
  computed.clear_gates();
  computed.clear_priority();
  computed.clear_retry();
  computed.clear_attempt_timeout();
  computed.clear_min_worker_memory_bytes();
  computed.clear_no_cache();
  ForgetSource(*computed.mutable_training_text());
  ForgetSource(*computed.mutable_evaluation_text());
  v1::EvaluationOptions& evaluation = *computed.mutable_evaluation();
  ForgetSources(*evaluation.mutable_other_texts());
  ForgetSources(*evaluation.mutable_tasks());
  if (evaluation.has_prompts()) ForgetSource(*evaluation.mutable_prompts());
  return computed;
}

std::string CanonicalBytes(const v1::JobSpec& spec) {
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  spec.SerializeToCodedStream(&coded);
  coded.Trim();
  return bytes;
}

}  // namespace

std::string ContentKey(const v1::JobSpec& spec, absl::Span<const ContentInput> inputs,
                       absl::string_view code_version) {
  std::vector<std::string> lines;
  lines.reserve(inputs.size());
  for (const ContentInput& input : inputs) {
    lines.push_back(absl::StrCat(input.role, " ", input.sha256, "\n"));
  }
  std::sort(lines.begin(), lines.end());
  Sha256 digest;
  digest.Update(absl::StrCat("sasq content key 1\n", code_version, "\n",
                             Sha256Hex(CanonicalBytes(WhatIsComputed(spec))), "\n"));
  for (const std::string& line : lines) digest.Update(line);
  return digest.FinishHex();
}

}  // namespace sasq
