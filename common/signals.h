// Orderly stops.
#ifndef SASQ_COMMON_SIGNALS_H_
#define SASQ_COMMON_SIGNALS_H_

namespace sasq {

// Blocks SIGTERM and SIGINT in this and every later thread, and ignores SIGPIPE. Call it before the
// first thread starts.
void BlockStopSignals();

// Waits for SIGTERM or SIGINT and returns which. After BlockStopSignals.
int WaitForStopSignal();

}  // namespace sasq

#endif  // SASQ_COMMON_SIGNALS_H_
