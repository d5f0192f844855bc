// Scripts by which shells complete `sasq`: commands, flags, their values, files, and jobs, for
// which they ask the service.
#ifndef SASQ_CLIENT_COMPLETION_H_
#define SASQ_CLIENT_COMPLETION_H_

#include <string>

#include "client/command_tree.h"
#include "client/options.h"

namespace sasq {

std::string CompletionScript(const CommandTree& tree, Shell shell);

}  // namespace sasq

#endif  // SASQ_CLIENT_COMPLETION_H_
