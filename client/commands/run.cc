#include "client/commands/run.h"

#include <cerrno>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/command_line.h"
#include "client/commands/artifacts.h"
#include "client/commands/compare.h"
#include "client/commands/doctor.h"
#include "client/commands/export.h"
#include "client/commands/gate.h"
#include "client/commands/health.h"
#include "client/commands/jobs.h"
#include "client/commands/provenance.h"
#include "client/commands/report.h"
#include "client/commands/submit.h"
#include "client/commands/top.h"
#include "client/commands/workers.h"
#include "client/completion.h"
#include "client/man_page.h"
#include "client/markdown_manual.h"
#include "client/settings.h"
#include "client/spec_flags.h"
#include "common/metrics.h"
#include "common/status_macros.h"

namespace sasq {
namespace {

// One overload for each command.
struct Runner {
  const CommandContext& context;

  using Result = absl::StatusOr<ExitCode>;
  Result operator()(const SubmitOptions& options) const { return RunSubmit(context, options); }
  Result operator()(const CompareOptions& options) const {
    return options.results.empty() ? RunCompare(context, options) : RunSideBySide(context, options);
  }
  Result operator()(const PlanOptions& options) const { return RunPlan(context, options); }
  Result operator()(const GetOptions& options) const { return RunGet(context, options); }
  Result operator()(const ListOptions& options) const { return RunList(context, options); }
  Result operator()(const WatchOptions& options) const { return RunWatch(context, options); }
  Result operator()(const WaitOptions& options) const { return RunWait(context, options); }
  Result operator()(const LogsOptions& options) const { return RunLogs(context, options); }
  Result operator()(const CancelOptions& options) const { return RunCancel(context, options); }
  Result operator()(const DeleteOptions& options) const { return RunDelete(context, options); }
  Result operator()(const ArtifactsOptions& options) const {
    return RunArtifacts(context, options);
  }
  Result operator()(const VerifyOptions& options) const { return RunVerify(context, options); }
  Result operator()(const SignOptions& options) const { return RunSign(context, options); }
  Result operator()(const GateOptions& options) const { return RunGate(context, options); }
  Result operator()(const DownloadOptions& options) const { return RunDownload(context, options); }
  Result operator()(const ExportCommandOptions& options) const {
    return RunExport(context, options);
  }
  Result operator()(const ReportOptions& options) const { return RunReport(context, options); }
  Result operator()(const HealthOptions& options) const { return RunHealth(context, options); }
  Result operator()(const WorkersOptions&) const { return RunWorkers(context); }
  Result operator()(const TopOptions& options) const { return RunTop(context, options); }
  // What RunAlone has done.
  Result operator()(const DoctorOptions&) const { return ExitCode::kOk; }
  Result operator()(const CompletionOptions&) const { return ExitCode::kOk; }
  Result operator()(const ManOptions&) const { return ExitCode::kOk; }
  Result operator()(const VersionOptions&) const { return ExitCode::kOk; }
};

// The commands that need no service, or ask first whether there is one. Nothing for all others.
std::optional<ExitCode> RunAlone(const GlobalOptions& globals, const CommandOptions& command,
                                 Console& console, Interrupt* interrupt) {
  if (std::holds_alternative<DoctorOptions>(command)) {
    return RunDoctor(globals, console, *Clock::Real(), interrupt);
  }
  if (const auto* completion = std::get_if<CompletionOptions>(&command)) {
    console.out.Write(CompletionScript(DescribeCommandLine(), completion->shell));
  } else if (const auto* man = std::get_if<ManOptions>(&command)) {
    console.out.Write(man->format == ManFormat::kMan
                          ? ManPage(DescribeCommandLine(), Version())
                          : MarkdownManual(DescribeCommandLine(), SpecFlags()));
  } else if (std::holds_alternative<VersionOptions>(command)) {
    console.out.WriteLine(absl::StrCat("sasq ", Version()));
  } else {
    return std::nullopt;
  }
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Run(const GlobalOptions& globals, const CommandOptions& command,
                             Console& console, Interrupt* interrupt) {
  if (const auto done = RunAlone(globals, command, console, interrupt)) return *done;
  SASQ_ASSIGN_OR_RETURN(const ConnectionSettings connection, ResolveConnection(globals.connection));
  SASQ_ASSIGN_OR_RETURN(std::shared_ptr<grpc::Channel> channel,
                        MakeServiceChannel(connection.endpoint, connection.security));
  ServiceClient client({.endpoint = connection.endpoint,
                        .channel = std::move(channel),
                        .call_timeout = globals.call_timeout},
                       interrupt);
  const CommandContext context{globals, console, client, *Clock::Real()};
  return std::visit(Runner{context}, command);
}

}  // namespace

ExitCode RunCommand(const GlobalOptions& globals, const CommandOptions& command,
                    Interrupt* interrupt) {
  Console console{OutputStream(1, globals.color), OutputStream(2, globals.color), globals.quiet};
  const absl::StatusOr<ExitCode> result = Run(globals, command, console, interrupt);
  if (!result.ok()) console.err.Write(ErrorText(result.status()));
  const ExitCode code = result.ok() ? *result : ExitCodeOf(result.status());
  const int error = console.out.error_number();
  if (error == 0) return code;
  if (error != EPIPE) {  // a reader that has seen enough is no news
    console.err.WriteLine(absl::StrCat("sasq: cannot write standard output: ",
                                       std::generic_category().message(error)));
  }
  return code == ExitCode::kOk ? ExitCode::kFailed : code;
}

}  // namespace sasq
