// The manual page sasq(1), in the macros of man(7).
#ifndef SASQ_CLIENT_MAN_PAGE_H_
#define SASQ_CLIENT_MAN_PAGE_H_

#include <string>

#include "absl/strings/string_view.h"
#include "client/command_tree.h"

namespace sasq {

std::string ManPage(const CommandTree& tree, absl::string_view version);

}  // namespace sasq

#endif  // SASQ_CLIENT_MAN_PAGE_H_
