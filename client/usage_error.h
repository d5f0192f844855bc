// What is said of a command line that is not one.
#ifndef SASQ_CLIENT_USAGE_ERROR_H_
#define SASQ_CLIENT_USAGE_ERROR_H_

#include "absl/status/status.h"

namespace CLI {
class App;
class ParseError;
}  // namespace CLI

namespace sasq {

// INVALID_ARGUMENT of what `app` refused: names the word, the nearest one that there is, and the
// help to read.
absl::Status UsageError(const CLI::ParseError& error, const CLI::App& app);

}  // namespace sasq

#endif  // SASQ_CLIENT_USAGE_ERROR_H_
