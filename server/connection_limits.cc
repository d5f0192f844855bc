#include "server/connection_limits.h"

#include <grpcpp/resource_quota.h>
#include <grpcpp/server_builder.h>

namespace sasq {
namespace {

// The largest message is a CompleteTask with 24 MiB of files; the rest is slack for its rows.
constexpr int kMaxReceiveBytes = 26 << 20;
constexpr int kMaxSendBytes = 4 << 20;
// Of one call's headers, a token among them.
constexpr int kMaxMetadataBytes = 16 << 10;
// A peer that vanished is noticed after both.
constexpr absl::Duration kKeepaliveTime = absl::Seconds(30);
constexpr absl::Duration kKeepaliveTimeout = absl::Seconds(10);
// Clients may ping this often, also while they have no call.
constexpr absl::Duration kMinClientPing = absl::Seconds(5);
constexpr absl::Duration kMaxAgeGrace = absl::Minutes(1);
// Of what gRPC holds for all connections. Short of it, gRPC reads less, and closes idle ones.
constexpr size_t kMaxBufferBytes = size_t{1} << 30;

int Milliseconds(absl::Duration duration) {
  return static_cast<int>(absl::ToInt64Milliseconds(duration));
}

}  // namespace

void SetConnectionLimits(const ConnectionLimits& limits, grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(kMaxReceiveBytes);
  builder.SetMaxSendMessageSize(kMaxSendBytes);
  builder.SetResourceQuota(grpc::ResourceQuota("sasqd").Resize(kMaxBufferBytes));
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kMaxMetadataBytes);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, limits.max_streams_per_connection);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, Milliseconds(limits.max_idle));
  if (limits.max_age != absl::InfiniteDuration()) {
    builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, Milliseconds(limits.max_age));
    builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, Milliseconds(kMaxAgeGrace));
  }
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, Milliseconds(kKeepaliveTime));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Milliseconds(kKeepaliveTimeout));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             Milliseconds(kMinClientPing));
}

}  // namespace sasq
