// Wraps operators so that the time of their calls is counted. For operators.cc alone.
#ifndef SASQ_QUANT_OPS_TIMED_OPERATOR_H_
#define SASQ_QUANT_OPS_TIMED_OPERATOR_H_

#include <chrono>
#include <utility>

#include "quant/ops/kernel_time.h"

namespace sasq::ops {

// What is told apart; overloads of an operator are one.
enum class TimedKernel {
  kQuantize,
  kRmsNormQuantize,
  kSiluMulQuantize,
  kInt8Linear,
  kFakeQuantize,
  kFakeQuantizeBackward,
  kHadamardTransform,
  kPackWeights,
};

void AddKernelTime(TimedKernel kernel, std::chrono::nanoseconds time);

// Timed<kernel, Function>::Call has Function's signature and counts its time.
template <TimedKernel kKernel, auto kFunction>
struct Timed;

template <TimedKernel kKernel, typename Result, typename... Arguments,
          Result (*kFunction)(Arguments...)>
struct Timed<kKernel, kFunction> {
  static Result Call(Arguments... arguments) {
    const auto begin = std::chrono::steady_clock::now();
    Result result = kFunction(std::forward<Arguments>(arguments)...);
    AddKernelTime(kKernel, std::chrono::steady_clock::now() - begin);
    return result;
  }
};

}  // namespace sasq::ops

#endif  // SASQ_QUANT_OPS_TIMED_OPERATOR_H_
