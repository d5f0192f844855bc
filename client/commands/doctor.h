// `sasq doctor`: what stands between this machine and a job that runs.
#ifndef SASQ_CLIENT_COMMANDS_DOCTOR_H_
#define SASQ_CLIENT_COMMANDS_DOCTOR_H_

#include "client/exit_code.h"
#include "client/interrupt.h"
#include "client/options.h"
#include "client/terminal.h"
#include "common/clock.h"

namespace sasq {

// Prints a line for each check, with a remedy where something is wrong. The exit code is that of
// the first check that failed; a warning is no failure.
ExitCode RunDoctor(const GlobalOptions& globals, Console& console, const Clock& clock,
                   Interrupt* interrupt);

}  // namespace sasq

#endif  // SASQ_CLIENT_COMMANDS_DOCTOR_H_
