// Specs that tests of their validation share.
#ifndef SASQ_TESTS_SERVER_TEST_SPECS_H_
#define SASQ_TESTS_SERVER_TEST_SPECS_H_

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "server/spec_validation.h"
#include "tests/server/test_jobs.h"

namespace sasq {

inline v1::JobSpec Complete(const v1::JobSpec& spec) {
  const absl::StatusOr<v1::JobSpec> completed = CompleteSpec(spec);
  EXPECT_TRUE(completed.ok()) << completed.status();
  return completed.ok() ? *completed : v1::JobSpec();
}

// The names of the baselines.
inline std::vector<std::string> Baselines(const v1::JobSpec& spec) {
  std::vector<std::string> names;
  for (const v1::Recipe& recipe : spec.baselines()) names.push_back(recipe.name());
  return names;
}

inline v1::NamedText Named(const std::string& name, const std::string& uri = "file:/nowhere/text") {
  v1::NamedText text;
  text.set_name(name);
  text.mutable_text()->set_uri(uri);
  return text;
}

inline v1::JobSpec ComparisonSpec() {
  v1::JobSpec spec = MinimalSpec();
  spec.set_kind(v1::JOB_KIND_COMPARE);
  return spec;
}

inline v1::Recipe* AddPrefixed(v1::JobSpec& spec, v1::Method method, std::vector<int32_t> tokens) {
  v1::Recipe* recipe = spec.add_baselines();
  recipe->set_method(method);
  recipe->set_first_token(v1::FIRST_TOKEN_PREFIX);
  for (const int32_t token : tokens) recipe->add_prefix_tokens(token);
  return recipe;
}

inline v1::UploadedFile Uploaded(const std::string& path) {
  v1::UploadedFile file;
  file.set_path(path);
  file.set_sha256(std::string(64, 'a'));
  return file;
}

inline v1::ModelSource& UploadedModel(v1::JobSpec& spec) {
  spec.mutable_model()->set_uri("upload:model");
  return *spec.mutable_model();
}

}  // namespace sasq

#endif  // SASQ_TESTS_SERVER_TEST_SPECS_H_
