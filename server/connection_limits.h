// What one connection may cost.
#ifndef SASQ_SERVER_CONNECTION_LIMITS_H_
#define SASQ_SERVER_CONNECTION_LIMITS_H_

#include "absl/time/time.h"

namespace grpc {
class ServerBuilder;
}  // namespace grpc

namespace sasq {

struct ConnectionLimits {
  // Calls of one connection at one time; more wait at the client.
  int max_streams_per_connection = 2'000;
  // A connection without a call is closed after this.
  absl::Duration max_idle = absl::Minutes(10);
  // One that was open for this long ends its calls within a minute and is closed; clients connect
  // again by themselves. Infinite: never. Behind a balancer, a bound spreads the clients anew.
  absl::Duration max_age = absl::InfiniteDuration();
};

// Sets them, and the bounds that are the same for everybody: message and header sizes, keepalive,
// and the memory of all calls together.
void SetConnectionLimits(const ConnectionLimits& limits, grpc::ServerBuilder& builder);

}  // namespace sasq

#endif  // SASQ_SERVER_CONNECTION_LIMITS_H_
