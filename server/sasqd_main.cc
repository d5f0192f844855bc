// sasqd: the coordinator. Keeps jobs, leases them to workers, serves their results.
#include <stdlib.h>

#include <cstdio>
#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/environment.h"
#include "common/file.h"
#include "common/log.h"
#include "common/metrics.h"
#include "common/otlp_exporter.h"
#include "common/signals.h"
#include "server/postgres.h"
#include "server/server.h"
#include "server/token_command.h"

namespace {

// Exit codes of sasq programs: 1 failed, 2 usage, 5 unavailable.
constexpr int kFailed = 1;
constexpr int kUsage = 2;
constexpr int kUnavailable = 5;
constexpr int64_t kMaxUrlBytes = 64 << 10;

struct Flags {
  sasq::Server::Options server;
  std::string lease_duration = "30s";
  std::string heartbeat_interval = "1s";
  std::string upload_retention = "24h";
  std::string keep_succeeded = "inf";
  std::string keep_failed = "inf";
  std::vector<std::string> allowed_roots;
  std::string log_level = "info";
  std::string log_format = "logfmt";
  std::string otlp_endpoint;
  std::string port_file;
  std::string job_store;
  std::string job_store_file;
  std::string max_connection_idle = "10m";
  std::string max_connection_age = "inf";
  sasq::TokenCommand token;
};

void DeclareSecurity(CLI::App& app, Flags& flags) {
  sasq::TlsFiles& tls = flags.server.tls;
  app.add_option("--tls_cert", tls.certificate,
                 "PEM file of the certificate chain to serve with; read again when it changes");
  app.add_option("--tls_key", tls.key, "PEM file of the certificate's key");
  app.add_option("--tls_client_ca", tls.authorities,
                 "PEM file of authorities; every client has to have a certificate of one of them");
  app.add_option("--tokens", flags.server.access.tokens.tokens_file,
                 "file of bearer tokens, made by `sasqd token`; every call has to have one; read "
                 "again when it changes");
  app.add_option("--audit_log", flags.server.access.audit_log,
                 "file to append a line to for every change (default: events `audit` of the log)");
  app.add_option("--max_streams_per_connection",
                 flags.server.connections.max_streams_per_connection,
                 "calls of one connection at one time")
      ->capture_default_str();
  app.add_option("--max_connection_idle", flags.max_connection_idle,
                 "how long a connection without calls is kept")
      ->capture_default_str();
  app.add_option("--max_connection_age", flags.max_connection_age,
                 "how long any connection is kept; clients connect again")
      ->capture_default_str();
  app.add_flag("--insecure", flags.server.insecure,
               "listen on addresses that other machines reach, without TLS or tokens");
}

void Declare(CLI::App& app, Flags& flags) {
  app.set_version_flag("--version", std::string(sasq::Version()));
  app.add_option("--listen_address", flags.server.listen_address,
                 "host:port of the gRPC API; port 0 for any")
      ->capture_default_str();
  app.add_option("--metrics_address", flags.server.metrics_address,
                 "host:port of GET /metrics; empty for none")
      ->capture_default_str();
  app.add_option("--data_dir", flags.server.data_folder,
                 "folder of the job database and the artifacts, or, where --job_store and "
                 "--blob_store are elsewhere, of what may be lost; made if missing; required");
  app.add_option("--job_store", flags.job_store,
                 "sqlite (in --data_dir) or postgres://USER@HOST/DATABASE, without a password "
                 "($SASQ_JOB_STORE, $PGPASSWORD, $PGPASSFILE)");
  app.add_option("--job_store_file", flags.job_store_file,
                 "file with the value of --job_store, which may hold a password");
  app.add_option("--blob_store", flags.server.stores.blobs,
                 "folder (in --data_dir) or s3://BUCKET/PREFIX ($SASQ_BLOB_STORE)")
      ->capture_default_str();
  app.add_option("--s3_endpoint", flags.server.stores.s3.endpoint,
                 "store of --blob_store=s3://... ($AWS_ENDPOINT_URL; credentials as of the AWS "
                 "programs: $AWS_ACCESS_KEY_ID, $AWS_SECRET_ACCESS_KEY, $AWS_SESSION_TOKEN, "
                 "$AWS_REGION)");
  app.add_option("--lease_duration", flags.lease_duration,
                 "how long a worker may be silent before its job goes to another")
      ->capture_default_str();
  app.add_option("--heartbeat_interval", flags.heartbeat_interval,
                 "how often a worker reports; a cancel reaches it as fast")
      ->capture_default_str();
  app.add_option("--allowed_roots", flags.allowed_roots,
                 "folders that jobs may name with file:, separated by commas; / for all (default: "
                 "all, and with --tokens none)")
      ->delimiter(',');
  app.add_option("--max_blob_bytes", flags.server.blobs.max_blob_bytes,
                 "uploads are refused that would make all blobs larger")
      ->capture_default_str();
  app.add_option("--upload_retention", flags.upload_retention,
                 "how long an upload stays that no job uses, and one that broke off")
      ->capture_default_str();
  app.add_option("--keep_succeeded", flags.keep_succeeded,
                 "how long a job that succeeded is kept, with its artifact and log; inf: until it "
                 "is deleted")
      ->capture_default_str();
  app.add_option("--keep_failed", flags.keep_failed,
                 "how long a job that failed or was cancelled is kept, with its log")
      ->capture_default_str();
  app.add_option("--max_queued_per_tenant", flags.server.limits.max_queued_per_tenant,
                 "jobs that may wait for a worker; 0 for no limit")
      ->capture_default_str();
  app.add_option("--max_running_per_tenant", flags.server.limits.max_running_per_tenant,
                 "jobs that may run at once; 0 for no limit")
      ->capture_default_str();
  app.add_option("--log_level", flags.log_level, "info, warning, error or off")
      ->capture_default_str();
  app.add_option("--log_format", flags.log_format, "logfmt or json")->capture_default_str();
  app.add_option("--otlp_endpoint", flags.otlp_endpoint,
                 "collector to send spans to by OTLP/HTTP, such as http://127.0.0.1:4318 "
                 "($OTEL_EXPORTER_OTLP_ENDPOINT, $OTEL_EXPORTER_OTLP_HEADERS; default: none)");
  app.add_option("--port_file", flags.port_file,
                 "file to write the ports to, as {\"grpc\": N, \"metrics\": N}, once they listen");
  DeclareSecurity(app, flags);
}

struct DurationFlag {
  const char* name;
  const std::string& text;
  absl::Duration& value;
};

int Fail(int code, absl::string_view message) {
  std::fprintf(stderr, "sasqd: %s\n", std::string(message).c_str());
  return code;
}

// Where jobs are kept, from the file, the flag or the environment. Other users of the machine see
// the flags of a process, so that they hold no password.
absl::StatusOr<std::string> JobStoreOf(const Flags& flags) {
  if (!flags.job_store_file.empty()) {
    absl::StatusOr<std::string> text = sasq::ReadFile(flags.job_store_file, kMaxUrlBytes);
    if (!text.ok()) return text.status();
    return std::string(absl::StripAsciiWhitespace(*text));
  }
  if (flags.job_store.empty()) return sasq::EnvironmentOr({"SASQ_JOB_STORE"}, "sqlite");
  if (sasq::HasPassword(flags.job_store)) {
    return absl::InvalidArgumentError(
        "--job_store holds a password, which every user of this machine can see; put it in "
        "$SASQ_JOB_STORE, $PGPASSWORD, a file named by $PGPASSFILE, or --job_store_file");
  }
  return flags.job_store;
}

int Run(Flags& flags) {
  if (absl::Status status = sasq::SetLogLevel(flags.log_level); !status.ok()) {
    return Fail(kUsage, absl::StrCat("--log_level: ", status.message()));
  }
  if (absl::Status status = sasq::SetLogFormat(flags.log_format); !status.ok()) {
    return Fail(kUsage, absl::StrCat("--log_format: ", status.message()));
  }
  if (!flags.allowed_roots.empty()) {
    absl::StatusOr<sasq::AllowedRoots> roots = sasq::AllowedRoots::Create(flags.allowed_roots);
    if (!roots.ok()) return Fail(kUsage, roots.status().message());
    flags.server.roots = *std::move(roots);
  } else if (!flags.server.access.tokens.tokens_file.empty()) {
    flags.server.roots = sasq::AllowedRoots::None();
  }
  absl::StatusOr<std::string> job_store = JobStoreOf(flags);
  if (!job_store.ok()) return Fail(kUsage, job_store.status().message());
  flags.server.stores.jobs = *std::move(job_store);
  const DurationFlag durations[] = {
      {"--lease_duration", flags.lease_duration, flags.server.leases.lease_duration},
      {"--heartbeat_interval", flags.heartbeat_interval, flags.server.leases.heartbeat_interval},
      {"--upload_retention", flags.upload_retention, flags.server.blobs.upload_retention},
      {"--keep_succeeded", flags.keep_succeeded, flags.server.limits.keep_succeeded},
      {"--keep_failed", flags.keep_failed, flags.server.limits.keep_failed},
      {"--max_connection_idle", flags.max_connection_idle, flags.server.connections.max_idle},
      {"--max_connection_age", flags.max_connection_age, flags.server.connections.max_age},
  };
  for (const DurationFlag& flag : durations) {
    if (absl::ParseDuration(flag.text, &flag.value)) continue;
    return Fail(kUsage, absl::StrCat(flag.name, " is ", flag.text,
                                     ", want a number with a unit, such as 30s, 500ms or 720h"));
  }
  sasq::BlockStopSignals();
  const absl::StatusOr<std::unique_ptr<sasq::OtlpExporter>> exporter =
      sasq::OpenOtlpExporter(flags.otlp_endpoint, "sasqd");
  if (!exporter.ok()) return Fail(kUsage, exporter.status().message());
  const sasq::Tracer tracer(exporter->get());
  flags.server.tracer = &tracer;
  absl::StatusOr<std::unique_ptr<sasq::Server>> server = sasq::Server::Create(flags.server);
  if (!server.ok()) {
    return Fail(absl::IsInvalidArgument(server.status()) ? kUsage : kUnavailable,
                server.status().message());
  }
  if (!flags.port_file.empty()) {
    const std::string ports = absl::StrCat("{\"grpc\": ", (*server)->port(),
                                           ", \"metrics\": ", (*server)->metrics_port(), "}\n");
    if (absl::Status status = sasq::WriteFileDurably(flags.port_file, ports); !status.ok()) {
      return Fail(kUnavailable, status.message());
    }
  }
  const int signal = sasq::WaitForStopSignal();
  sasq::LogInfo("stopping", {{"signal", signal}});
  (*server)->Shutdown();
  sasq::LogInfo("stopped");
  return 0;
}

int RunToken(const CLI::App& app, const Flags& flags) {
  const absl::StatusOr<std::string> text = sasq::RunTokenCommand(app, flags.token);
  if (!text.ok()) {
    return Fail(absl::IsInvalidArgument(text.status()) ? kUsage : kFailed, text.status().message());
  }
  std::fputs(text->c_str(), stdout);
  return std::fflush(stdout) == 0 ? 0 : kFailed;
}

}  // namespace

int main(int argc, char** argv) {
  // gRPC's own log is for its developers; what it means for users comes back as a status.
  ::setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);
  try {
    CLI::App app(
        "sasqd: keeps quantization jobs, leases them to workers and serves their results.");
    Flags flags;
    flags.server.stores.blobs = sasq::EnvironmentOr({"SASQ_BLOB_STORE"}, "folder");
    flags.server.stores.s3 = sasq::S3OptionsOfEnvironment();
    Declare(app, flags);
    sasq::AddTokenCommand(app, flags.token);
    try {
      app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      return app.exit(error) == 0 ? 0 : kUsage;
    }
    return sasq::IsTokenCommand(app) ? RunToken(app, flags) : Run(flags);
  } catch (const std::exception& error) {
    return Fail(kUnavailable, error.what());
  }
}
