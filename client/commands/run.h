// From a parsed command line to an exit code.
#ifndef SASQ_CLIENT_COMMANDS_RUN_H_
#define SASQ_CLIENT_COMMANDS_RUN_H_

#include "client/exit_code.h"
#include "client/interrupt.h"
#include "client/options.h"

namespace sasq {

// Runs the command, prints its result to standard output and, if it fails, why to standard error.
ExitCode RunCommand(const GlobalOptions& globals, const CommandOptions& command,
                    Interrupt* interrupt);

}  // namespace sasq

#endif  // SASQ_CLIENT_COMMANDS_RUN_H_
