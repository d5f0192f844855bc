// Where a result comes from: enough to make it again, and to tell whether it should come out the
// same. Nothing in it changes between two runs of one spec on one machine.
#ifndef SASQ_QUANT_ARTIFACT_PROVENANCE_H_
#define SASQ_QUANT_ARTIFACT_PROVENANCE_H_

#include <string>
#include <vector>

namespace sasq {

// A file or folder that was read.
struct InputDigest {
  std::string role;    // `model`, `training_text` or `evaluation_text`
  std::string uri;     // as in the spec
  std::string sha256;  // of a text: its bytes; of a model: see ScalePack::base_weight_sha256

  bool operator==(const InputDigest&) const = default;
};

struct Provenance {
  std::string code_version;  // such as "0.1.0"
  std::string device_kind;   // `cpu` or `cuda`
  std::string device_name;   // such as "Intel(R) Xeon(R) Processor @ 2.50GHz"
  std::string kernel_path;   // such as `avx512_vnni`
  int thread_count = 0;      // 0 on a GPU
  std::vector<InputDigest> inputs;
  std::string spec_json;  // the job's spec with every default written out: one JSON object

  bool operator==(const Provenance&) const = default;
};

}  // namespace sasq

#endif  // SASQ_QUANT_ARTIFACT_PROVENANCE_H_
