// Where a worker fetches from and to, as its environment says.
#ifndef SASQ_WORKER_SOURCE_OPTIONS_H_
#define SASQ_WORKER_SOURCE_OPTIONS_H_

#include "absl/status/status.h"
#include "quant/source/source_fetcher.h"

namespace sasq {

// HF_ENDPOINT, HF_TOKEN; AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
// AWS_SESSION_TOKEN, AWS_REGION or AWS_DEFAULT_REGION (us-east-1); the cache in XDG_CACHE_HOME/sasq
// or HOME/.cache/sasq. What is not said has the default of its options. Not while another thread
// changes the environment.
SourceFetcher::Options SourceOptionsOfEnvironment();

// Checks the endpoints, and takes slashes off their ends. INVALID_ARGUMENT names the flag.
absl::Status CheckSourceOptions(SourceFetcher::Options& options);

}  // namespace sasq

#endif  // SASQ_WORKER_SOURCE_OPTIONS_H_
