// An RPC on its way through the server.
#ifndef SASQ_SERVER_ACCESS_CALL_H_
#define SASQ_SERVER_ACCESS_CALL_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "common/log.h"
#include "common/trace.h"
#include "server/access/principal.h"
#include "server/access/rpc_rules.h"

namespace sasq {

// One that was let in, or refused for its role.
struct Call {
  Rpc rpc = Rpc::kGetJob;
  Principal principal;
  std::string peer;            // as gRPC names it: `ipv4:127.0.0.1:50000`
  std::string request_id;      // common/answer_headers.h
  std::shared_ptr<Span> span;  // null: the call belongs to no trace
  std::string resource;        // what it changes: `jobs/{id}`, a blob's digest, a worker's id
  bool is_audited = false;     // by its RPC's rule, until the handler knows that nothing changes

  std::string trace_id() const { return span == nullptr ? "" : span->context().trace_id; }
  // What a job that the call makes belongs to (common/trace.h); empty: no trace.
  std::string traceparent() const { return span == nullptr ? "" : span->context().ToTraceparent(); }
  // Names the call in the lines that the thread logs while the scope lives.
  LogScope NameInLog() const { return LogScope({{"request", request_id}, {"trace", trace_id()}}); }
  // The call ends like this. The first one counts.
  void EndSpan(const absl::Status& status) const;
};

}  // namespace sasq

#endif  // SASQ_SERVER_ACCESS_CALL_H_
