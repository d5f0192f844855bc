#include "client/service_client.h"

#include <grpcpp/grpcpp.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/text.h"
#include "common/answer_headers.h"
#include "common/environment.h"
#include "common/rpc_status.h"
#include "common/status_macros.h"
#include "common/trace.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "sasq/v1/artifact_service.grpc.pb.h"
#include "sasq/v1/quantization_service.grpc.pb.h"

namespace sasq {
namespace {

constexpr int kMaxMessageBytes = 16 << 20;
constexpr int kMinReconnectDelayMs = 100;
constexpr int kMaxReconnectDelayMs = 2'000;
// A stream whose peer vanished without a word (power loss, a cut cable) is noticed after both.
constexpr int kKeepaliveTimeMs = 30'000;
constexpr int kKeepaliveTimeoutMs = 10'000;

grpc::ChannelArguments ChannelArguments() {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kMinReconnectDelayMs);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kMaxReconnectDelayMs);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kMaxReconnectDelayMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveTimeMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);  // a web proxy is never meant for the service
  return arguments;
}

absl::Status Reworded(const absl::Status& status, absl::string_view message) {
  absl::Status reworded(status.code(), message);
  status.ForEachPayload([&reworded](absl::string_view url, const absl::Cord& payload) {
    reworded.SetPayload(url, payload);
  });
  return reworded;
}

// gRPC's report of a failed connection names every address and layer; the last part is the cause.
std::string LastCause(absl::string_view message) {
  const std::vector<std::string> parts = absl::StrSplit(message, ": ");
  return CleanLine(parts.back());
}

// The status of a call, worded for the person at the terminal.
absl::Status FromCall(const grpc::Status& wire, const std::string& endpoint,
                      const Interrupt& interrupt) {
  if (wire.ok()) return absl::OkStatus();
  if (interrupt.triggered()) return absl::CancelledError("interrupted");
  absl::Status status = FromGrpcStatus(wire);
  if (!ReasonOf(status).empty()) return status;  // the service itself has spoken
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
      return Reworded(status, absl::StrCat("cannot reach sasqd at ", endpoint, " (",
                                           LastCause(status.message()),
                                           "); start it, or name another with --endpoint or "
                                           "SASQ_ENDPOINT"));
    case absl::StatusCode::kDeadlineExceeded:
      return Reworded(status, absl::StrCat("sasqd at ", endpoint,
                                           " did not answer in time; try again, or allow more "
                                           "with --timeout"));
    case absl::StatusCode::kUnimplemented:
      return Reworded(status, absl::StrCat(endpoint,
                                           " does not know this call; is it a sasqd of this "
                                           "version?"));
    default:
      return status;
  }
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::Channel>> MakeServiceChannel(const std::string& endpoint,
                                                                  const RpcSecurity& security) {
  return MakeRpcChannel(endpoint, security, ChannelArguments());
}

struct ServiceClient::Impl {
  explicit Impl(std::shared_ptr<grpc::Channel> made)
      : channel(std::move(made)), quantization(channel), artifacts(channel), health(channel) {}

  std::shared_ptr<grpc::Channel> channel;
  v1::QuantizationService::Stub quantization;
  v1::ArtifactService::Stub artifacts;
  grpc::health::v1::Health::Stub health;
};

namespace {

// A call that the interrupt cancels.
class Call {
 public:
  Call(Interrupt* interrupt, absl::Time deadline)
      : cancel_(interrupt, [this] { context_.TryCancel(); }) {
    if (deadline != absl::InfiniteFuture()) context_.set_deadline(absl::ToChronoTime(deadline));
  }
  grpc::ClientContext* context() { return &context_; }

 private:
  grpc::ClientContext context_;
  Interrupt::Action cancel_;
};

template <typename Stub, typename Request, typename Response>
absl::StatusOr<Response> Ask(const ServiceClient& client, absl::Duration timeout, Stub& stub,
                             grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                          Response*),
                             const Request& request) {
  Call call(client.interrupt(), absl::Now() + timeout);
  Response response;
  SASQ_RETURN_IF_ERROR(FromCall((stub.*method)(call.context(), request, &response),
                                client.endpoint(), *client.interrupt()));
  return response;
}

template <typename Response>
absl::Status Drain(const ServiceClient& client, Call& call, grpc::ClientReader<Response>& reader,
                   absl::FunctionRef<absl::Status(const Response&)> take) {
  Response response;
  while (reader.Read(&response)) {
    if (absl::Status status = take(response); !status.ok()) {
      call.context()->TryCancel();
      while (reader.Read(&response)) continue;
      (void)reader.Finish();  // CANCELLED, by us
      return status;
    }
  }
  return FromCall(reader.Finish(), client.endpoint(), *client.interrupt());
}

// Of the answer; empty if it is not there.
std::string HeaderOf(const grpc::ClientContext& context, const char* name) {
  const auto& headers = context.GetServerInitialMetadata();
  const auto found = headers.find(name);
  return found == headers.end() ? "" : std::string(found->second.data(), found->second.size());
}

}  // namespace

ServiceClient::ServiceClient(Options options, Interrupt* interrupt)
    : options_(std::move(options)),
      interrupt_(interrupt),
      impl_(std::make_unique<Impl>(options_.channel != nullptr
                                       ? options_.channel
                                       : MakeServiceChannel(options_.endpoint, {}).value())) {}

ServiceClient::~ServiceClient() = default;

absl::StatusOr<v1::SubmitJobResponse> ServiceClient::SubmitJob(
    const v1::SubmitJobRequest& request) {
  Call call(interrupt_, absl::Now() + options_.call_timeout);
  const std::string traceparent = EnvironmentOr({"TRACEPARENT"}, "");
  if (ParseTraceparent(traceparent).has_value()) {
    call.context()->AddMetadata(kTraceparentHeader, traceparent);
  }
  v1::SubmitJobResponse response;
  SASQ_RETURN_IF_ERROR(FromCall(impl_->quantization.SubmitJob(call.context(), request, &response),
                                endpoint(), *interrupt_));
  return response;
}

absl::StatusOr<v1::Job> ServiceClient::GetJob(const std::string& name) {
  v1::GetJobRequest request;
  request.set_name(name);
  SASQ_ASSIGN_OR_RETURN(v1::GetJobResponse response,
                        Ask(*this, options_.call_timeout, impl_->quantization,
                            &v1::QuantizationService::Stub::GetJob, request));
  return std::move(*response.mutable_job());
}

absl::StatusOr<v1::ListJobsResponse> ServiceClient::ListJobs(const v1::ListJobsRequest& request) {
  return Ask(*this, options_.call_timeout, impl_->quantization,
             &v1::QuantizationService::Stub::ListJobs, request);
}

absl::StatusOr<v1::Job> ServiceClient::CancelJob(const std::string& name) {
  v1::CancelJobRequest request;
  request.set_name(name);
  SASQ_ASSIGN_OR_RETURN(v1::CancelJobResponse response,
                        Ask(*this, options_.call_timeout, impl_->quantization,
                            &v1::QuantizationService::Stub::CancelJob, request));
  return std::move(*response.mutable_job());
}

absl::Status ServiceClient::DeleteJob(const std::string& name) {
  v1::DeleteJobRequest request;
  request.set_name(name);
  return Ask(*this, options_.call_timeout, impl_->quantization,
             &v1::QuantizationService::Stub::DeleteJob, request)
      .status();
}

absl::StatusOr<v1::ListWorkersResponse> ServiceClient::ListWorkers() {
  return Ask(*this, options_.call_timeout, impl_->quantization,
             &v1::QuantizationService::Stub::ListWorkers, v1::ListWorkersRequest());
}

absl::StatusOr<v1::Artifact> ServiceClient::GetArtifact(const std::string& name) {
  v1::GetArtifactRequest request;
  request.set_name(name);
  SASQ_ASSIGN_OR_RETURN(v1::GetArtifactResponse response,
                        Ask(*this, options_.call_timeout, impl_->artifacts,
                            &v1::ArtifactService::Stub::GetArtifact, request));
  return std::move(*response.mutable_artifact());
}

absl::StatusOr<std::string> ServiceClient::GetBestScales(const std::string& job) {
  v1::GetBestScalesRequest request;
  request.set_job(job);
  SASQ_ASSIGN_OR_RETURN(v1::GetBestScalesResponse response,
                        Ask(*this, options_.call_timeout, impl_->artifacts,
                            &v1::ArtifactService::Stub::GetBestScales, request));
  return std::move(*response.mutable_scales());
}

absl::StatusOr<bool> ServiceClient::IsServing(const std::string& service) {
  grpc::health::v1::HealthCheckRequest request;
  request.set_service(service);
  SASQ_ASSIGN_OR_RETURN(const grpc::health::v1::HealthCheckResponse response,
                        Ask(*this, options_.call_timeout, impl_->health,
                            &grpc::health::v1::Health::Stub::Check, request));
  return response.status() == grpc::health::v1::HealthCheckResponse::SERVING;
}

absl::StatusOr<Greeting> ServiceClient::Greet() {
  Call call(interrupt_, absl::Now() + options_.call_timeout);
  grpc::health::v1::HealthCheckResponse response;
  SASQ_RETURN_IF_ERROR(FromCall(
      impl_->health.Check(call.context(), grpc::health::v1::HealthCheckRequest(), &response),
      options_.endpoint, *interrupt_));
  Greeting greeting;
  greeting.is_serving = response.status() == grpc::health::v1::HealthCheckResponse::SERVING;
  greeting.version = HeaderOf(*call.context(), kVersionHeader);
  std::string unused;
  if (!absl::ParseTime(kDateHeaderFormat, HeaderOf(*call.context(), kDateHeader), &greeting.time,
                       &unused)) {
    greeting.time = absl::InfinitePast();
  }
  return greeting;
}

absl::StatusOr<v1::FindMissingBlobsResponse> ServiceClient::FindMissingBlobs(
    const v1::FindMissingBlobsRequest& request) {
  return Ask(*this, options_.call_timeout, impl_->artifacts,
             &v1::ArtifactService::Stub::FindMissingBlobs, request);
}

absl::Status ServiceClient::UploadBlob(const v1::UploadStart& start,
                                       absl::FunctionRef<absl::StatusOr<std::string>()> next) {
  Call call(interrupt_, absl::InfiniteFuture());
  v1::UploadBlobResponse response;
  const auto writer = impl_->artifacts.UploadBlob(call.context(), &response);
  v1::UploadBlobRequest request;
  *request.mutable_start() = start;
  absl::Status read;
  while (writer->Write(request)) {
    request.Clear();
    absl::StatusOr<std::string> piece = next();
    read = piece.status();
    if (!read.ok() || piece->empty()) break;
    request.set_data(*std::move(piece));
  }
  if (!read.ok()) call.context()->TryCancel();
  writer->WritesDone();
  const grpc::Status wire = writer->Finish();
  if (!read.ok()) return read;
  return FromCall(wire, options_.endpoint, *interrupt_);
}

absl::Status ServiceClient::WatchJob(
    const v1::WatchJobRequest& request, absl::Time deadline,
    absl::FunctionRef<absl::Status(const v1::WatchJobResponse&)> take) {
  Call call(interrupt_, deadline);
  return Drain(*this, call, *impl_->quantization.WatchJob(call.context(), request), take);
}

absl::Status ServiceClient::ReadJobLog(
    const v1::ReadJobLogRequest& request,
    absl::FunctionRef<absl::Status(const v1::ReadJobLogResponse&)> take) {
  Call call(interrupt_, absl::InfiniteFuture());
  return Drain(*this, call, *impl_->quantization.ReadJobLog(call.context(), request), take);
}

absl::Status ServiceClient::DownloadBlob(
    const v1::DownloadBlobRequest& request,
    absl::FunctionRef<absl::Status(const v1::DownloadBlobResponse&)> take) {
  Call call(interrupt_, absl::InfiniteFuture());
  return Drain(*this, call, *impl_->artifacts.DownloadBlob(call.context(), request), take);
}

}  // namespace sasq
