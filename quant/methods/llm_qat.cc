#include "quant/methods/methods.h"

namespace sasq {

std::unique_ptr<const Method> MakeLlmQat(const v1::Recipe&) { return nullptr; }

}  // namespace sasq
