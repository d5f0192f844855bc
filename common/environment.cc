#include "common/environment.h"

#include <cstdlib>

namespace sasq {

std::string EnvironmentOr(std::initializer_list<const char*> names, const std::string& otherwise) {
  for (const char* name : names) {
    const char* value = std::getenv(name);
    if (value != nullptr && value[0] != '\0') return value;
  }
  return otherwise;
}

}  // namespace sasq
