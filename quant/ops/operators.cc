// What the operators do on each device: one body for CPU and CUDA, over the kernels' overloads.
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <torch/library.h>

#include <cstddef>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kernels/fake_quantize.h"
#include "kernels/gemm.h"
#include "kernels/hadamard.h"
#include "kernels/packed_weights.h"
#include "kernels/quantize.h"
#include "kernels/rms_norm.h"
#include "kernels/silu_mul.h"
#include "quant/ops/parallel_for.h"
#include "quant/ops/timed_operator.h"

namespace sasq::ops {
namespace {

using kernels::ConstMatrix;
using kernels::CpuContext;
using kernels::CudaContext;
using OptionalTensor = std::optional<at::Tensor>;
using TensorPair = std::tuple<at::Tensor, at::Tensor>;

// Throws what is not OK: ValueError for a wrong argument, else c10::Error.
void Check(const absl::Status& status) {
  TORCH_CHECK_VALUE(!absl::IsInvalidArgument(status), std::string(status.message()));
  TORCH_CHECK(status.ok(), std::string(status.message()));
}

template <typename T>
T Check(absl::StatusOr<T> value) {
  Check(value.status());
  return *std::move(value);
}

// Of the process: the environment is read once.
kernels::CpuPath ProcessCpuPath() {
  static const absl::StatusOr<kernels::CpuPath> path = kernels::SelectCpuPath();
  return Check(path);
}

// Of operators on the device of `x`.
template <class Context>
Context ContextOf(const at::Tensor& x);

template <>
CpuContext ContextOf<CpuContext>(const at::Tensor&) {
  return {ProcessCpuPath(), TorchParallelFor};
}

template <>
CudaContext ContextOf<CudaContext>(const at::Tensor& x) {
  const c10::impl::VirtualGuardImpl device(at::kCUDA);
  return {x.device().index(), device.getStream(x.device()).native_handle()};
}

kernels::DataType TypeOf(at::ScalarType type) {
  switch (type) {
    case at::kFloat:
      return kernels::DataType::kFloat32;
    case at::kHalf:
      return kernels::DataType::kFloat16;
    case at::kBFloat16:
      return kernels::DataType::kBFloat16;
    default:
      TORCH_CHECK_VALUE(false, "sasq: the type is ", type, ", want float32, float16 or bfloat16");
  }
}

void CheckSameDevice(const at::Tensor& x, const at::Tensor& other, const char* name) {
  TORCH_CHECK_VALUE(other.device() == x.device(), "sasq: ", name, " is on ", other.device(),
                    ", the activations on ", x.device());
}

void CheckShape(const at::Tensor& x, const at::Tensor& other, const char* name) {
  CheckSameDevice(x, other, name);
  TORCH_CHECK_VALUE(other.sizes() == x.sizes() && other.scalar_type() == x.scalar_type(),
                    "sasq: ", name, " is ", other.scalar_type(), other.sizes(), ", want ",
                    x.scalar_type(), x.sizes());
}

// `values` of `count` elements of `type`, dense.
void CheckVector(const at::Tensor& x, const at::Tensor& values, int64_t count, at::ScalarType type,
                 const char* name) {
  CheckSameDevice(x, values, name);
  TORCH_CHECK_VALUE(
      values.numel() == count && values.scalar_type() == type && values.is_contiguous(),
      "sasq: ", name, " is ", values.scalar_type(), values.sizes(), ", want ", count,
      " dense values of ", type);
}

int64_t RowCount(const at::Tensor& x) {
  TORCH_CHECK_VALUE(x.dim() >= 1 && x.size(-1) > 0, "sasq: the shape is ", x.sizes(),
                    ", want at least one dimension and rows that are not empty");
  return x.numel() / x.size(-1);
}

// Whether the rows of `x` lie one stride apart.
bool HasRows(const at::Tensor& x) {
  return x.is_contiguous() || (x.dim() == 2 && x.stride(1) == 1 && x.stride(0) >= x.size(1));
}

at::Tensor WithRows(const at::Tensor& x) { return HasRows(x) ? x : x.contiguous(); }

int64_t RowStride(const at::Tensor& x) { return x.is_contiguous() ? x.size(-1) : x.stride(0); }

ConstMatrix View(const at::Tensor& x) {
  return {x.const_data_ptr(), TypeOf(x.scalar_type()), RowCount(x), x.size(-1), RowStride(x)};
}

kernels::Matrix MutableView(const at::Tensor& x) {
  return {x.mutable_data_ptr(), TypeOf(x.scalar_type()), RowCount(x), x.size(-1), RowStride(x)};
}

at::Tensor EmptyCodes(const at::Tensor& x) {
  return at::empty(x.sizes(), x.options().dtype(at::kChar));
}

at::Tensor EmptyScales(const at::Tensor& x) {
  return at::empty({RowCount(x)}, x.options().dtype(at::kFloat));
}

int8_t* Codes(const at::Tensor& codes) { return codes.mutable_data_ptr<int8_t>(); }

template <class Context>
at::Tensor QuantizeStatic(const at::Tensor& x, double scale) {
  const at::Tensor rows = WithRows(x);
  at::Tensor codes = EmptyCodes(rows);
  Check(kernels::QuantizeStatic(ContextOf<Context>(x), View(rows), static_cast<float>(scale),
                                Codes(codes)));
  return codes;
}

template <class Context>
TensorPair QuantizePerToken(const at::Tensor& x) {
  const at::Tensor rows = WithRows(x);
  TensorPair result(EmptyCodes(rows), EmptyScales(rows));
  const auto& [codes, scales] = result;
  Check(kernels::QuantizePerToken(ContextOf<Context>(x), View(rows), Codes(codes),
                                  scales.mutable_data_ptr<float>()));
  return result;
}

kernels::RmsNormInput NormInput(const at::Tensor& rows, const at::Tensor& gain, double epsilon,
                                const OptionalTensor& residual) {
  CheckVector(rows, gain, rows.size(-1), rows.scalar_type(), "gain");
  kernels::RmsNormInput input = {
      View(rows), gain.const_data_ptr(), static_cast<float>(epsilon), {}};
  if (residual.has_value()) {
    CheckShape(rows, *residual, "residual");
    TORCH_CHECK_VALUE(HasRows(*residual), "sasq: residual has no dense rows");
    input.residual = MutableView(*residual);
  }
  return input;
}

template <class Context>
at::Tensor RmsNormQuantizeStatic(const at::Tensor& x, const at::Tensor& gain, double epsilon,
                                 double scale, const OptionalTensor& residual) {
  const at::Tensor rows = WithRows(x);
  at::Tensor codes = EmptyCodes(rows);
  Check(kernels::RmsNormQuantizeStatic(ContextOf<Context>(x),
                                       NormInput(rows, gain, epsilon, residual),
                                       static_cast<float>(scale), Codes(codes)));
  return codes;
}

template <class Context>
TensorPair RmsNormQuantizePerToken(const at::Tensor& x, const at::Tensor& gain, double epsilon,
                                   const OptionalTensor& residual) {
  const at::Tensor rows = WithRows(x);
  TensorPair result(EmptyCodes(rows), EmptyScales(rows));
  const auto& [codes, scales] = result;
  Check(kernels::RmsNormQuantizePerToken(ContextOf<Context>(x),
                                         NormInput(rows, gain, epsilon, residual), Codes(codes),
                                         scales.mutable_data_ptr<float>()));
  return result;
}

template <class Context>
at::Tensor SiluMulQuantizeStatic(const at::Tensor& gate, const at::Tensor& up, double scale) {
  CheckShape(gate, up, "up");
  const at::Tensor gate_rows = WithRows(gate);
  const at::Tensor up_rows = WithRows(up);
  at::Tensor codes = EmptyCodes(gate_rows);
  Check(kernels::SiluMulQuantizeStatic(ContextOf<Context>(gate), View(gate_rows), View(up_rows),
                                       static_cast<float>(scale), Codes(codes)));
  return codes;
}

template <class Context>
TensorPair SiluMulQuantizePerToken(const at::Tensor& gate, const at::Tensor& up) {
  CheckShape(gate, up, "up");
  const at::Tensor gate_rows = WithRows(gate);
  const at::Tensor up_rows = WithRows(up);
  TensorPair result(EmptyCodes(gate_rows), EmptyScales(gate_rows));
  const auto& [codes, scales] = result;
  Check(kernels::SiluMulQuantizePerToken(ContextOf<Context>(gate), View(gate_rows), View(up_rows),
                                         Codes(codes), scales.mutable_data_ptr<float>()));
  return result;
}

void CheckCodes(const at::Tensor& codes) {
  TORCH_CHECK_VALUE(codes.scalar_type() == at::kChar && codes.dim() >= 1 && codes.is_contiguous(),
                    "sasq: codes are ", codes.scalar_type(), codes.sizes(),
                    ", want a dense int8 tensor");
}

at::Tensor PackWeightsCpu(const at::Tensor& codes) {
  CheckCodes(codes);
  TORCH_CHECK_VALUE(codes.dim() == 2, "sasq: weights have the shape ", codes.sizes(),
                    ", want [out_features, in_features]");
  const kernels::CpuPath path = ProcessCpuPath();
  at::Tensor packed = at::empty(
      {Check(kernels::PackedWeightsBytes(path, codes.size(0), codes.size(1)))}, codes.options());
  Check(kernels::PackWeights(path, codes.const_data_ptr<int8_t>(), codes.size(0), codes.size(1),
                             static_cast<std::byte*>(packed.mutable_data_ptr())));
  return packed;
}

// Tensor cores read rows as they are.
at::Tensor PackWeightsCuda(const at::Tensor& codes) {
  CheckCodes(codes);
  return codes.clone();
}

kernels::PackedWeightsView WeightsView(const CpuContext& context, const at::Tensor& weights,
                                       const at::Tensor& w_scales, int64_t in_features) {
  const int64_t out_features = w_scales.numel();
  const int64_t bytes = Check(kernels::PackedWeightsBytes(context.path, out_features, in_features));
  TORCH_CHECK_VALUE(
      weights.scalar_type() == at::kChar && weights.is_contiguous() && weights.numel() == bytes,
      "sasq: weights are ", weights.scalar_type(), weights.sizes(), ", want the ", bytes,
      " bytes that pack_weights makes of [", out_features, ", ", in_features, "]");
  return {context.path, out_features, in_features,
          static_cast<const std::byte*>(weights.const_data_ptr()),
          w_scales.const_data_ptr<float>()};
}

kernels::CudaWeightsView WeightsView(const CudaContext&, const at::Tensor& weights,
                                     const at::Tensor& w_scales, int64_t in_features) {
  const int64_t out_features = w_scales.numel();
  CheckVector(w_scales, weights, out_features * in_features, at::kChar, "weights");
  return {out_features, in_features, weights.const_data_ptr<int8_t>(),
          w_scales.const_data_ptr<float>()};
}

template <class Context>
at::Tensor Int8Linear(const at::Tensor& codes, const kernels::ActivationScales& x_scales,
                      const at::Tensor& weights, const at::Tensor& w_scales,
                      const OptionalTensor& bias, at::ScalarType dtype) {
  CheckCodes(codes);
  const int64_t out_features = w_scales.numel();
  CheckVector(codes, w_scales, out_features, at::kFloat, "w_scales");
  CheckSameDevice(codes, weights, "weights");
  if (bias.has_value()) CheckVector(codes, *bias, out_features, at::kFloat, "bias");
  std::vector<int64_t> sizes = codes.sizes().vec();
  sizes.back() = out_features;
  at::Tensor y = at::empty(sizes, codes.options().dtype(dtype));
  if (codes.numel() == 0) return y;
  const Context context = ContextOf<Context>(codes);
  Check(kernels::Gemm(context, codes.const_data_ptr<int8_t>(), x_scales,
                      WeightsView(context, weights, w_scales, codes.size(-1)),
                      bias.has_value() ? bias->const_data_ptr<float>() : nullptr, MutableView(y)));
  return y;
}

template <class Context>
at::Tensor Int8LinearStatic(const at::Tensor& codes, double x_scale, const at::Tensor& weights,
                            const at::Tensor& w_scales, const OptionalTensor& bias,
                            at::ScalarType dtype) {
  return Int8Linear<Context>(codes, {static_cast<float>(x_scale), nullptr}, weights, w_scales, bias,
                             dtype);
}

template <class Context>
at::Tensor Int8LinearPerToken(const at::Tensor& codes, const at::Tensor& x_scales,
                              const at::Tensor& weights, const at::Tensor& w_scales,
                              const OptionalTensor& bias, at::ScalarType dtype) {
  CheckVector(codes, x_scales, RowCount(codes), at::kFloat, "x_scales");
  return Int8Linear<Context>(codes, {0, x_scales.const_data_ptr<float>()}, weights, w_scales, bias,
                             dtype);
}

template <class Context>
at::Tensor FakeQuantize(const at::Tensor& x, const at::Tensor& scale) {
  const at::Tensor rows = WithRows(x);
  at::Tensor y = at::empty(rows.sizes(), rows.options());
  Check(kernels::FakeQuantize(ContextOf<Context>(x), View(rows), scale.item<float>(),
                              MutableView(y)));
  return y;
}

void FakeQuantizeBackwardKernel(const CpuContext& context, const ConstMatrix& x,
                                const ConstMatrix& grad, float scale, const at::Tensor& grad_x,
                                const at::Tensor& grad_scale) {
  Check(kernels::FakeQuantizeBackward(context, x, grad, scale, MutableView(grad_x),
                                      grad_scale.mutable_data_ptr<double>()));
}

void FakeQuantizeBackwardKernel(const CudaContext& context, const ConstMatrix& x,
                                const ConstMatrix& grad, float scale, const at::Tensor& grad_x,
                                const at::Tensor& grad_scale) {
  const at::Tensor workspace = at::empty({kernels::FakeQuantizeWorkspaceBytes(x.rows, x.cols)},
                                         grad_x.options().dtype(at::kChar));
  Check(kernels::FakeQuantizeBackward(context, x, grad, scale, MutableView(grad_x),
                                      grad_scale.mutable_data_ptr<double>(),
                                      workspace.mutable_data_ptr()));
}

template <class Context>
TensorPair FakeQuantizeBackward(const at::Tensor& x, const at::Tensor& grad, double scale) {
  CheckShape(x, grad, "grad");
  const at::Tensor rows = WithRows(x);
  const at::Tensor grad_rows = WithRows(grad);
  at::Tensor grad_x = at::empty(rows.sizes(), rows.options());
  at::Tensor grad_scale = at::empty({}, rows.options().dtype(at::kDouble));
  FakeQuantizeBackwardKernel(ContextOf<Context>(x), View(rows), View(grad_rows),
                             static_cast<float>(scale), grad_x, grad_scale);
  return {std::move(grad_x), std::move(grad_scale)};
}

template <class Context>
at::Tensor HadamardTransform(const at::Tensor& x, int64_t block) {
  const at::Tensor rows = WithRows(x);
  at::Tensor y = at::empty(rows.sizes(), rows.options());
  Check(kernels::HadamardTransform(ContextOf<Context>(x), View(rows), block, MutableView(y)));
  return y;
}

// Registers what the CPU does with its time counted; a CUDA operator is only queued here.
template <class Context, TimedKernel kKernel, auto kFunction>
void Add(torch::Library& m, const char* name) {
  if constexpr (std::is_same_v<Context, CpuContext>) {
    m.impl(name, Timed<kKernel, kFunction>::Call);
  } else {
    m.impl(name, kFunction);
  }
}

template <class C>
void Register(torch::Library& m) {
  using K = TimedKernel;
  Add<C, K::kQuantize, QuantizeStatic<C>>(m, "quantize_static");
  Add<C, K::kQuantize, QuantizePerToken<C>>(m, "quantize_per_token");
  Add<C, K::kRmsNormQuantize, RmsNormQuantizeStatic<C>>(m, "rms_norm_quantize_static");
  Add<C, K::kRmsNormQuantize, RmsNormQuantizePerToken<C>>(m, "rms_norm_quantize_per_token");
  Add<C, K::kSiluMulQuantize, SiluMulQuantizeStatic<C>>(m, "silu_mul_quantize_static");
  Add<C, K::kSiluMulQuantize, SiluMulQuantizePerToken<C>>(m, "silu_mul_quantize_per_token");
  Add<C, K::kInt8Linear, Int8LinearPerToken<C>>(m, "int8_linear");
  Add<C, K::kInt8Linear, Int8LinearStatic<C>>(m, "int8_linear.static");
  Add<C, K::kFakeQuantize, FakeQuantize<C>>(m, "fake_quantize");
  Add<C, K::kFakeQuantizeBackward, FakeQuantizeBackward<C>>(m, "fake_quantize_backward");
  Add<C, K::kHadamardTransform, HadamardTransform<C>>(m, "hadamard_transform");
}

}  // namespace
}  // namespace sasq::ops

TORCH_LIBRARY_IMPL(sasq, CPU, m) {
  using sasq::ops::Timed;
  using sasq::ops::TimedKernel;
  sasq::ops::Register<sasq::kernels::CpuContext>(m);
  m.impl("pack_weights", Timed<TimedKernel::kPackWeights, sasq::ops::PackWeightsCpu>::Call);
}

TORCH_LIBRARY_IMPL(sasq, CUDA, m) {
  sasq::ops::Register<sasq::kernels::CudaContext>(m);
  m.impl("pack_weights", sasq::ops::PackWeightsCuda);
}
