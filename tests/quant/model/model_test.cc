#include "quant/model/model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <stop_token>
#include <string>

#include "common/rpc_status.h"
#include "tests/support/tiny_model.h"

namespace sasq::testing {
namespace {

using ::testing::HasSubstr;

TEST(ModelTest, KnowsItsSites) {
  const std::shared_ptr<const Model> model = Model::Load(MakeTinyModel()).value();
  ASSERT_EQ(model->sites().size(), 8u);
  EXPECT_EQ(SiteName(model->sites()[5]), "layers.1.o_in");
  EXPECT_EQ(model->max_tokens(), 512);
}

TEST(ModelTest, NamesTheTensorThatIsMissing) {
  TinyModelOptions options;
  options.without_tensor = "model.layers.1.mlp.up_proj.weight";
  const absl::Status status = Model::Load(MakeTinyModel(options)).status();
  EXPECT_EQ(ReasonOf(status), "INVALID_MODEL");
  EXPECT_THAT(std::string(status.message()), HasSubstr(options.without_tensor));
}

TEST(ModelTest, NamesTheTensorThatIsNotFinite) {
  for (const Dtype dtype : {Dtype::kF32, Dtype::kF16, Dtype::kBF16}) {
    TinyModelOptions options;
    options.dtype = dtype;
    options.nan_tensor = "model.layers.0.self_attn.o_proj.weight";
    const absl::Status status = Model::Load(MakeTinyModel(options)).status();
    EXPECT_EQ(ReasonOf(status), "INVALID_MODEL");
    EXPECT_THAT(std::string(status.message()), HasSubstr(options.nan_tensor));
    EXPECT_THAT(std::string(status.message()), HasSubstr("nan at element 4095"));
  }
}

TEST(ModelTest, RefusesWeightsOfAnotherShape) {
  TinyModelOptions options;
  const std::string folder = MakeTinyModel(options);
  options.intermediate_size = 80;
  const std::string other = MakeTinyModel(options);
  std::filesystem::copy_file(other + "/config.json", folder + "/config.json",
                             std::filesystem::copy_options::overwrite_existing);
  const absl::Status status = Model::Load(folder).status();
  EXPECT_EQ(ReasonOf(status), "INVALID_MODEL");
  EXPECT_THAT(std::string(status.message()), HasSubstr("mlp.gate_proj.weight"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("[96, 64], want [80, 64]"));
}

TEST(ModelTest, RefusesAFolderThatIsNotThere) {
  EXPECT_EQ(ReasonOf(Model::Load("/nonexistent/model").status()), "INVALID_MODEL");
}

TEST(ModelTest, StopsWhileItLoads) {
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(Model::Load(MakeTinyModel(), stop.get_token()).status().code(),
            absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace sasq::testing
