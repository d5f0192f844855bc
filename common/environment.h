// Variables of the environment.
#ifndef SASQ_COMMON_ENVIRONMENT_H_
#define SASQ_COMMON_ENVIRONMENT_H_

#include <initializer_list>
#include <string>

namespace sasq {

// The first of the variables that is set and not empty, else `otherwise`. Not while another thread
// changes the environment.
std::string EnvironmentOr(std::initializer_list<const char*> names, const std::string& otherwise);

}  // namespace sasq

#endif  // SASQ_COMMON_ENVIRONMENT_H_
