#include "quant/export/engine.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace sasq {
namespace {

constexpr int kVllmFirst = 75;    // Turing: the first with CUTLASS' INT8 kernels in vLLM
constexpr int kSglangFirst = 80;  // Ampere
constexpr int kBlackwell = 100;

std::string SmName(int capability) { return absl::StrCat("sm_", capability); }

std::vector<std::string> VllmWarnings(const std::optional<ServingDevice>& device) {
  if (!device.has_value()) {
    return {
        "vLLM runs static INT8 on GPUs of sm_75 to sm_90; it fails at start on sm_100 and "
        "above, and on CPUs with AMX it ignores the static scales. --device says which one is "
        "meant"};
  }
  if (device->is_cpu) {
    return {
        "vLLM on a CPU with AMX quantizes activations per token and ignores the static scales; "
        "on other CPUs it uses them"};
  }
  if (device->capability >= kBlackwell) {
    return {absl::StrCat("vLLM fails at start on ", SmName(device->capability),
                         ": its CUTLASS kernels have no INT8 product from sm_100 on (\"Int8 not "
                         "supported\"); serve this export on sm_75 to sm_90")};
  }
  if (device->capability < kVllmFirst) {
    return {absl::StrCat("vLLM refuses INT8 activations on ", SmName(device->capability),
                         ", want sm_75 to sm_90")};
  }
  return {};
}

std::vector<std::string> SglangWarnings(const std::optional<ServingDevice>& device) {
  std::vector<std::string> warnings = {
      "SGLang ignores the static scales: it quantizes activations per token, so that speed and "
      "quality are those of dynamic INT8; several versions fail to load them for fused linears"};
  if (device.has_value() && !device->is_cpu &&
      (device->capability < kSglangFirst || device->capability >= kBlackwell)) {
    warnings.push_back(absl::StrCat("SGLang has no INT8 product for ", SmName(device->capability),
                                    ", want sm_80 to sm_90"));
  }
  return warnings;
}

}  // namespace

absl::StatusOr<ServingDevice> ParseServingDevice(absl::string_view text) {
  if (text == "cpu") return ServingDevice{.is_cpu = true};
  absl::string_view digits = text;
  ServingDevice device;
  if (absl::ConsumePrefix(&digits, "sm_") && absl::SimpleAtoi(digits, &device.capability) &&
      device.capability >= 10 && device.capability < 1000) {
    return device;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("device is \"", text, "\", want cpu or a compute capability such as sm_90"));
}

std::vector<std::string> EngineWarnings(Engine engine, const std::optional<ServingDevice>& device) {
  switch (engine) {
    case Engine::kVllm:
      return VllmWarnings(device);
    case Engine::kSglang:
      return SglangWarnings(device);
    default:
      return {
          "transformers computes in floating point and rounds activations by the static "
          "scales: it shows the quality of INT8, not its speed"};
  }
}

}  // namespace sasq
