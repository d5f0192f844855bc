#include "quant/reuse/content_key.h"

#include <gtest/gtest.h>

#include <functional>
#include <vector>

namespace sasq {
namespace {

v1::JobSpec Spec() {
  v1::JobSpec spec;
  spec.mutable_model()->set_uri("file:/models/a");
  spec.mutable_training_text()->set_uri("file:/texts/train.txt");
  spec.mutable_evaluation_text()->set_uri("file:/texts/test.txt");
  spec.mutable_recipe()->set_method(v1::METHOD_SASQ);
  v1::NamedText& other = *spec.mutable_evaluation()->add_other_texts();
  other.set_name("code");
  other.mutable_text()->set_uri("file:/texts/code.txt");
  return spec;
}

const std::vector<ContentInput> kInputs = {{"weights", "aa"}, {"training_text", "bb"}};

TEST(ContentKeyTest, IsADigest) {
  EXPECT_EQ(ContentKey(Spec(), kInputs, "1").size(), 64u);
  EXPECT_EQ(ContentKey(Spec(), kInputs, "1"), ContentKey(Spec(), kInputs, "1"));
}

TEST(ContentKeyTest, ForgetsNamesAndHowTheJobIsRun) {
  const std::vector<std::function<void(v1::JobSpec&)>> changes = {
      [](auto& s) { s.mutable_model()->set_uri("upload:b"); },
      [](auto& s) { s.mutable_model()->add_files()->set_path("x"); },
      [](auto& s) { s.mutable_training_text()->set_uri("s3://bucket/key"); },
      [](auto& s) { s.mutable_training_text()->mutable_file()->set_sha256("cc"); },
      [](auto& s) {
        s.mutable_evaluation()->mutable_other_texts(0)->mutable_text()->set_uri("file:/b");
      },
      [](auto& s) { s.set_display_name("mine"); },
      [](auto& s) { s.set_priority(1); },
      [](auto& s) { s.set_max_attempts(7); },
      [](auto& s) { s.mutable_retry()->mutable_initial_backoff()->set_seconds(3); },
      [](auto& s) { s.mutable_attempt_timeout()->set_seconds(3); },
      [](auto& s) { s.set_min_worker_memory_bytes(1); },
      [](auto& s) { s.set_no_cache(true); },
      [](auto& s) { s.mutable_gates()->set_max_perplexity(3); },
  };
  const std::string key = ContentKey(Spec(), kInputs, "1");
  for (size_t i = 0; i < changes.size(); ++i) {
    v1::JobSpec spec = Spec();
    changes[i](spec);
    EXPECT_EQ(ContentKey(spec, kInputs, "1"), key) << "change " << i;
  }
  const std::vector<ContentInput> reversed = {kInputs[1], kInputs[0]};
  EXPECT_EQ(ContentKey(Spec(), reversed, "1"), key);
}

TEST(ContentKeyTest, DiffersWithWhatIsComputed) {
  const std::vector<std::function<void(v1::JobSpec&)>> changes = {
      [](auto& s) { s.mutable_recipe()->set_method(v1::METHOD_STATIC_MSE); },
      [](auto& s) { s.mutable_recipe()->mutable_training()->set_step_count(3); },
      [](auto& s) { s.set_seed(1); },
      [](auto& s) { s.set_device_kind(v1::DEVICE_KIND_CUDA); },
      [](auto& s) { s.mutable_training_text()->set_layout(v1::TEXT_LAYOUT_WIKITEXT_ROWS); },
      [](auto& s) { s.mutable_evaluation()->mutable_other_texts(0)->set_name("c"); },
      [](auto& s) { s.add_baselines()->set_method(v1::METHOD_FP); },
  };
  const std::string key = ContentKey(Spec(), kInputs, "1");
  for (size_t i = 0; i < changes.size(); ++i) {
    v1::JobSpec spec = Spec();
    changes[i](spec);
    EXPECT_NE(ContentKey(spec, kInputs, "1"), key) << "change " << i;
  }
  EXPECT_NE(ContentKey(Spec(), kInputs, "2"), key);
  EXPECT_NE(ContentKey(Spec(), {{"weights", "ab"}, {"training_text", "bb"}}, "1"), key);
  EXPECT_NE(ContentKey(Spec(), {{"weights", "bb"}, {"training_text", "aa"}}, "1"), key);
}

}  // namespace
}  // namespace sasq
