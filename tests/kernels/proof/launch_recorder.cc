// Runs the project's own CUDA launchers on the fake runtime and prints what they launch.
//
// usage: launch_recorder PARAMETER_SIZES < calls > results
//
// PARAMETER_SIZES: a line for each kernel, its mangled name and the sizes of its parameters.
// A call is a line of JSON: the operation, its arguments (matrices as {data, type, rows, cols,
// stride}, other buffers as addresses) and the device. Its result is a line of JSON: the status and
// the launches.
#include <cstdint>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "kernels/fake_quantize.h"
#include "kernels/gemm.h"
#include "kernels/hadamard.h"
#include "kernels/quantize.h"
#include "kernels/rms_norm.h"
#include "kernels/silu_mul.h"
#include "tests/kernels/proof/fake_cudart.h"

namespace sasq::kernels {
namespace {

using nlohmann::json;

template <class T>
T* Pointer(const json& call, const char* name) {
  return reinterpret_cast<T*>(call.value(name, uint64_t{0}));
}

Matrix MatrixOf(const json& call, const char* name) {
  if (!call.contains(name)) return {};
  const json& matrix = call.at(name);
  static const std::map<std::string, DataType> kTypes = {{"float32", DataType::kFloat32},
                                                         {"float16", DataType::kFloat16},
                                                         {"bfloat16", DataType::kBFloat16}};
  return {reinterpret_cast<void*>(matrix.at("data").get<uint64_t>()), kTypes.at(matrix.at("type")),
          matrix.at("rows"), matrix.at("cols"), matrix.at("stride")};
}

RmsNormInput RmsNormInputOf(const json& call) {
  return {MatrixOf(call, "x"), Pointer<void>(call, "gain"), call.at("epsilon").get<float>(),
          MatrixOf(call, "residual")};
}

using Operation = std::function<absl::Status(const CudaContext&, const json&)>;

const std::map<std::string, Operation>& Operations() {
  static const std::map<std::string, Operation> kOperations = {
      {"QuantizeStatic",
       [](const CudaContext& context, const json& call) {
         return QuantizeStatic(context, MatrixOf(call, "x"), call.at("scale").get<float>(),
                               Pointer<int8_t>(call, "codes"));
       }},
      {"QuantizePerToken",
       [](const CudaContext& context, const json& call) {
         return QuantizePerToken(context, MatrixOf(call, "x"), Pointer<int8_t>(call, "codes"),
                                 Pointer<float>(call, "scales"));
       }},
      {"RmsNormQuantizeStatic",
       [](const CudaContext& context, const json& call) {
         return RmsNormQuantizeStatic(context, RmsNormInputOf(call), call.at("scale").get<float>(),
                                      Pointer<int8_t>(call, "codes"));
       }},
      {"RmsNormQuantizePerToken",
       [](const CudaContext& context, const json& call) {
         return RmsNormQuantizePerToken(context, RmsNormInputOf(call),
                                        Pointer<int8_t>(call, "codes"),
                                        Pointer<float>(call, "scales"));
       }},
      {"SiluMulQuantizeStatic",
       [](const CudaContext& context, const json& call) {
         return SiluMulQuantizeStatic(context, MatrixOf(call, "gate"), MatrixOf(call, "up"),
                                      call.at("scale").get<float>(),
                                      Pointer<int8_t>(call, "codes"));
       }},
      {"SiluMulQuantizePerToken",
       [](const CudaContext& context, const json& call) {
         return SiluMulQuantizePerToken(context, MatrixOf(call, "gate"), MatrixOf(call, "up"),
                                        Pointer<int8_t>(call, "codes"),
                                        Pointer<float>(call, "scales"));
       }},
      {"FakeQuantize",
       [](const CudaContext& context, const json& call) {
         return FakeQuantize(context, MatrixOf(call, "x"), call.at("scale").get<float>(),
                             MatrixOf(call, "y"));
       }},
      {"FakeQuantizeBackward",
       [](const CudaContext& context, const json& call) {
         const Matrix x = MatrixOf(call, "x");
         if (call.at("workspace_bytes") != FakeQuantizeWorkspaceBytes(x.rows, x.cols)) {
           return absl::FailedPreconditionError("the workspace has another size");
         }
         return FakeQuantizeBackward(context, x, MatrixOf(call, "grad"),
                                     call.at("scale").get<float>(), MatrixOf(call, "grad_x"),
                                     Pointer<double>(call, "grad_scale"),
                                     Pointer<void>(call, "workspace"));
       }},
      {"HadamardTransform",
       [](const CudaContext& context, const json& call) {
         return HadamardTransform(context, MatrixOf(call, "x"), call.at("block").get<int64_t>(),
                                  MatrixOf(call, "y"));
       }},
      {"Gemm",
       [](const CudaContext& context, const json& call) {
         const ActivationScales scales{call.at("scale").get<float>(),
                                       Pointer<float>(call, "per_row")};
         const CudaWeightsView weights{call.at("out_features"), call.at("in_features"),
                                       Pointer<int8_t>(call, "weights"),
                                       Pointer<float>(call, "weight_scales")};
         return Gemm(context, Pointer<int8_t>(call, "codes"), scales, weights,
                     Pointer<float>(call, "bias"), MatrixOf(call, "y"));
       }},
  };
  return kOperations;
}

ParameterSizes ReadSizes(const char* path) {
  ParameterSizes sizes;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string name;
    words >> name;
    for (int64_t size = 0; words >> size;) sizes[name].push_back(size);
  }
  return sizes;
}

json LaunchesAsJson() {
  json launches = json::array();
  for (const RecordedLaunch& launch : TakeLaunches()) {
    launches.push_back({{"kernel", launch.kernel},
                        {"grid", launch.grid},
                        {"block", launch.block},
                        {"shared_bytes", launch.shared_bytes},
                        {"shared_limit_bytes", launch.shared_limit_bytes},
                        {"stream", launch.stream},
                        {"arguments", launch.arguments}});
  }
  return launches;
}

int Run(const char* sizes_path) {
  const ParameterSizes sizes = ReadSizes(sizes_path);
  for (std::string line; std::getline(std::cin, line);) {
    const json call = json::parse(line);
    const FakeDevice device{.compute_capability = call.value("compute_capability", 80),
                            .multiprocessors = call.value("multiprocessors", 108)};
    SetFakeDevice(device, sizes);
    const CudaContext context{.device = 0, .stream = Pointer<void>(call, "stream")};
    const absl::Status status = Operations().at(call.at("operation"))(context, call);
    std::cout << json{{"status", status.ToString()}, {"launches", LaunchesAsJson()}} << "\n";
  }
  return 0;
}

}  // namespace
}  // namespace sasq::kernels

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: launch_recorder PARAMETER_SIZES < calls > results\n";
    return 2;
  }
  return sasq::kernels::Run(argv[1]);
}
