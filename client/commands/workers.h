// `sasq workers`, and how workers are shown.
#ifndef SASQ_CLIENT_COMMANDS_WORKERS_H_
#define SASQ_CLIENT_COMMANDS_WORKERS_H_

#include <string>

#include "client/commands/command.h"

namespace sasq {

// The color in which a worker's state is shown.
TextColor ColorOf(v1::WorkerState state);

// `cpu AMD EPYC, 2 threads, avx512_vnni`.
std::string DeviceText(const v1::WorkerCapabilities& capabilities);

absl::StatusOr<ExitCode> RunWorkers(const CommandContext& context);

}  // namespace sasq

#endif  // SASQ_CLIENT_COMMANDS_WORKERS_H_
