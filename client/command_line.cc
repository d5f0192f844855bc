#include "client/command_line.h"

#include <CLI/CLI.hpp>
#include <map>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/help_text.h"
#include "client/text.h"
#include "client/usage_error.h"

namespace sasq {
namespace {

// An option whose value is a duration.
CLI::Option* AddDuration(CLI::App* app, const std::string& name, absl::Duration* duration,
                         const std::string& help) {
  return app
      ->add_option_function<std::string>(
          name,
          [duration, name](const std::string& text) {
            if (!ReadDuration(text, duration)) {
              throw CLI::ValidationError(
                  absl::StrCat(name, " is \"", text, "\", want a duration such as 90s or 30m"));
            }
          },
          help)
      ->type_name("DURATION");
}

// An option whose value is one of a few names.
template <typename Enum>
CLI::Option* AddChoice(CLI::App* app, const std::string& name, Enum* value,
                       std::map<std::string, Enum> choices, const std::string& help) {
  std::string names;
  for (const auto& [choice, unused] : choices) {
    absl::StrAppend(&names, names.empty() ? "" : "|", choice);
  }
  return app
      ->add_option_function<std::string>(
          name,
          [value, choices, names, name](const std::string& text) {
            const auto found = choices.find(text);
            if (found == choices.end()) {
              throw CLI::ValidationError(absl::StrCat(name, " is \"", text, "\", want ", names));
            }
            *value = found->second;
          },
          help)
      ->type_name(names);
}

void AddGlobals(CLI::App* app, GlobalOptions* globals) {
  ConnectionSettings& connection = globals->connection;
  app->add_option("-e,--endpoint", connection.endpoint, "The service")->type_name("HOST:PORT");
  app->add_flag("--tls", connection.security.tls, "TLS, with the system's authorities");
  app->add_option("--tls-ca", connection.security.files.authorities,
                  "TLS, with the authorities in this PEM file")
      ->type_name("FILE");
  app->add_option("--tls-cert", connection.security.files.certificate,
                  "Certificate to show to a service that asks for one")
      ->type_name("FILE");
  app->add_option("--tls-key", connection.security.files.key, "Its key")->type_name("FILE");
  app->add_option("--token-file", connection.security.token_file,
                  "File that holds the token (default: $SASQ_TOKEN)")
      ->type_name("FILE");
  AddChoice<OutputFormat>(app, "-o,--output", &globals->output,
                          {{"table", OutputFormat::kTable},
                           {"json", OutputFormat::kJson},
                           {"yaml", OutputFormat::kYaml},
                           {"markdown", OutputFormat::kMarkdown}},
                          "Form of the results (default: table; markdown: `compare A B` only)");
  AddChoice<ColorMode>(
      app, "--color", &globals->color,
      {{"auto", ColorMode::kAuto}, {"always", ColorMode::kAlways}, {"never", ColorMode::kNever}},
      "Colors (default: auto, none where $NO_COLOR is set)");
  app->add_flag("-q,--quiet", globals->quiet, "No progress and notes; lists show names only");
  AddDuration(app, "--timeout", &globals->call_timeout, "Limit of one call (default: 30s)");
  AddDuration(app, "--reconnect-timeout", &globals->reconnect_timeout,
              "Give up a lost connection after this (default: 5m)");
}

// What flags cannot say of each other. Throws CLI::ParseError.
template <typename Options>
void Finish(const CLI::App& /*command*/, Options& /*options*/) {}

// Two results to show, or a comparison to submit: what stands alone tells.
void Finish(const CLI::App& command, CompareOptions& options) {
  if (options.results.size() > 2) {
    throw CLI::ValidationError(absl::StrCat("unexpected argument ", options.results[2]));
  }
  const bool shows = options.results.size() == 2;
  for (const CLI::Option* option : command.parse_order()) {
    const std::string name = option->get_name();
    if (name == "what" || (name == "--row") == shows) continue;
    throw CLI::ValidationError(
        absl::StrCat(name, shows ? " is about a job to submit, not about two results to show"
                                 : " is about two results to show; name them"));
  }
  if (options.results.size() != 1) return;
  if (!options.spec.spec_file.empty()) throw CLI::ValidationError("the spec file is given twice");
  options.spec.spec_file = options.results[0];
  options.results.clear();
}

// With a command below it, the job is that one's.
void Finish(const CLI::App& command, ArtifactsOptions& options) {
  if (command.get_subcommands().empty() && options.job.empty()) throw CLI::RequiredError("job");
  if (!command.get_subcommands().empty() && !options.job.empty()) {
    throw CLI::ValidationError(absl::StrCat("unexpected argument ", options.job));
  }
}

void Finish(const CLI::App& /*command*/, TopOptions& options) {
  if (options.interval < absl::Milliseconds(100)) {
    throw CLI::ValidationError("--interval is less than 100ms, want more");
  }
}

// The commands, each filling `line` once it was chosen.
class CommandTable {
 public:
  CommandTable(CLI::App* app, CommandLine* line) : app_(app), line_(line) {}

  // `define` adds the command's flags for options that live as long as this table. `above`: the
  // command that it belongs to, null for none.
  template <typename Options>
  CLI::App* Add(const std::string& name, const std::string& help,
                const std::function<void(CLI::App*, Options*)>& define, CLI::App* above = nullptr) {
    auto options = std::make_shared<Options>();
    CLI::App* command = (above == nullptr ? app_ : above)->add_subcommand(name, help);
    command->footer(kCommandFooter);
    define(command, options.get());
    command->callback([this, command, options] {
      Finish(*command, *options);
      if (command->get_subcommands().empty()) line_->command = *options;
    });
    return command;
  }

 private:
  CLI::App* const app_;
  CommandLine* const line_;
};

void AddGates(CLI::App* command, std::vector<std::string>* gates, const std::string& help) {
  command->add_option("--gate", *gates, help)
      ->type_name("GATE=BOUND")
      ->take_all()
      ->allow_extra_args(false);
}

template <typename Options>
void AddJob(CLI::App* command, Options* options) {
  command->add_option("job", options->job, "The job")->required()->type_name("JOB");
}

// `names`: of the option of the spec file.
void AddSpec(CLI::App* command, SpecArguments* spec, const std::string& names = "-f,--spec,spec") {
  command->add_option(names, spec->spec_file, "Job spec in YAML or JSON, - for standard input")
      ->type_name("FILE");
  for (const SpecFlag& flag : SpecFlags()) {
    command
        ->add_option_function<std::string>(
            flag.flag, [spec, &flag](const std::string& value) { spec->values[flag.flag] = value; },
            flag.help)
        ->type_name(flag.value);
  }
  command
      ->add_option("--baseline", spec->baselines,
                   "Measure this too, such as fp, sasq_max or static_mse:float")
      ->type_name("METHOD[:FIRST_TOKEN]")
      ->take_all()
      ->allow_extra_args(false);
  command->add_option("--other-text", spec->other_texts, "Measure this text too")
      ->type_name("NAME=FILE")
      ->take_all()
      ->allow_extra_args(false);
  command->add_option("--task", spec->tasks, "Ask these questions too, JSON lines")
      ->type_name("NAME=FILE")
      ->take_all()
      ->allow_extra_args(false);
  AddGates(command, &spec->gates, "The job fails unless its recipe is so good; may be repeated");
  command->add_flag("--no-cache", spec->no_cache,
                    "Compute it even if an earlier job has done the same");
  command->add_flag("--upload", spec->upload,
                    "Upload the local model and texts: the workers need not see them");
  command->footer(kSpecFooter);
}

void AddCompare(CLI::App* command, CompareOptions* options) {
  AddSpec(command, &options->spec, "-f,--spec");
  command
      ->add_option("what", options->results,
                   "Two results to show side by side: jobs, folders or report.json files; or one "
                   "job spec")
      ->type_name("A B|FILE");
  command->add_option("--row", options->row, "Show this row of both (default: what they hold)")
      ->type_name("NAME");
  command
      ->add_option("--request-id", options->request_id,
                   "Makes a repeat safe: the same id and spec give the same job")
      ->type_name("ID");
  command->add_flag("--detach", options->detach, "Print the job's name and leave it running");
}

// `artifacts JOB`, or one of the commands below it.
void AddArtifacts(CommandTable* table) {
  CLI::App* artifacts = table->Add<ArtifactsOptions>(
      "artifacts", "Show the files of a job's artifact, verify or sign them",
      [](CLI::App* app, ArtifactsOptions* options) {
        app->add_option("job", options->job, "The job")->type_name("JOB");
      });
  const auto add_place = [](CLI::App* app, std::string* place) {
    app->add_option("artifact", *place, "The job, or the folder of an artifact's files")
        ->required()
        ->type_name("JOB|DIR");
  };
  table->Add<VerifyOptions>(
      "verify", "Recompute the digests of an artifact and of what it was made from",
      [add_place](CLI::App* app, VerifyOptions* options) {
        add_place(app, &options->job_or_folder);
        app->add_option("--model", options->model_folder, "Folder of the model it was made from")
            ->type_name("DIR");
        app->add_option("--text", options->texts, "A text it was made from; may be repeated")
            ->type_name("FILE")
            ->take_all()
            ->allow_extra_args(false);
        CLI::Option* attestation =
            app->add_option("--attestation", options->attestation, "What `artifacts sign` wrote")
                ->type_name("FILE");
        CLI::Option* key = app->add_option("--public-key", options->public_key,
                                           "Ed25519 public key of who signed it")
                               ->type_name("PEM");
        attestation->needs(key);
        key->needs(attestation);
      },
      artifacts);
  table->Add<SignOptions>(
      "sign", "Sign what an artifact is and where it comes from",
      [add_place](CLI::App* app, SignOptions* options) {
        add_place(app, &options->job_or_folder);
        app->add_option("--key", options->key,
                        "Ed25519 private key; $SASQ_KEY_PASSPHRASE opens an encrypted one")
            ->required()
            ->type_name("PEM");
        app->add_option("--out", options->out,
                        "Attestation to write (default: provenance.intoto.jsonl beside the files)")
            ->type_name("FILE");
        app->add_flag("--force", options->force, "Replace an attestation that has other content");
      },
      artifacts);
}

void AddJobCommands(CommandTable* table) {
  table->Add<SubmitOptions>("submit", "Submit a job", [](CLI::App* app, SubmitOptions* options) {
    AddSpec(app, &options->spec);
    app->add_option("--request-id", options->request_id,
                    "Makes a repeat safe: the same id and spec give the same job")
        ->type_name("ID");
    app->add_flag("-w,--wait", options->wait, "Follow the job to its end and print the comparison");
  });
  table->Add<CompareOptions>(
      "compare", "Compare methods in one job and print the table, or show two results side by side",
      AddCompare);
  table->Add<PlanOptions>(
      "plan", "Check a spec and show what its job would do",
      [](CLI::App* app, PlanOptions* options) { AddSpec(app, &options->spec); });
  table->Add<GetOptions>("get", "Show a job", AddJob<GetOptions>);
  table->Add<ListOptions>(
      "list", "List jobs, newest first", [](CLI::App* app, ListOptions* options) {
        app->add_option(
               "--state", options->states,
               "Only jobs in this state: queued, running, cancelling, succeeded, failed or "
               "cancelled. May be repeated")
            ->type_name("STATE")
            ->delimiter(',')
            ->allow_extra_args(false);
        app->add_option("-n,--limit", options->limit,
                        "At most this many, 1 to 100000 (default: 50)")
            ->type_name("N")
            ->check(CLI::Range(1, 100'000).description(""));
      });
  table->Add<WatchOptions>("watch", "Follow a job to its end and print the comparison",
                           AddJob<WatchOptions>);
  table->Add<GateOptions>(
      "gate", "Ask quality gates of a finished job", [](CLI::App* app, GateOptions* options) {
        AddJob(app, options);
        AddGates(app, &options->gates,
                 "How good the row must be (default: the gates of the job); may be repeated");
        app->add_option("--row", options->row, "Of this row (default: the job's recipe)")
            ->type_name("NAME");
        AddDuration(app, "--max-age", &options->max_age,
                    "Fail also if the job ended longer ago than this");
        app->add_option("--junit", options->junit, "Also write the results as JUnit XML")
            ->type_name("FILE");
      });
  table->Add<WaitOptions>(
      "wait", "Like watch, with a limit", [](CLI::App* app, WaitOptions* options) {
        AddJob(app, options);
        AddDuration(app, "--timeout", &options->timeout,
                    "Stop waiting after this, with exit code 124 (default: never)");
      });
}

void AddExport(CommandTable* table) {
  table->Add<ExportCommandOptions>(
      "export", "Make a checkpoint that serving engines load from a scale pack and its base model",
      [](CLI::App* app, ExportCommandOptions* options) {
        app->add_option("pack", options->source,
                        "A scales.safetensors, a folder with one, or the job that made it")
            ->required()
            ->type_name("PACK_OR_JOB");
        app->add_option("--model", options->model_folder, "The base model's folder")
            ->required()
            ->type_name("DIR");
        app->add_option("--out", options->out_folder, "Folder to make")
            ->required()
            ->type_name("DIR");
        app->add_option("--format", "Form of the checkpoint (default: compressed-tensors)")
            ->type_name("compressed-tensors")
            ->check(CLI::IsMember({"compressed-tensors"}).description(""));
        app->add_option("--max-shard-size", options->max_shard_bytes,
                        "Largest weight file, such as 5GB or 512MiB (default: 5GB)")
            ->type_name("SIZE")
            ->transform(CLI::AsSizeValue(/*kb_is_1000=*/true).description(""))
            ->check(CLI::Validator(CLI::PositiveNumber).description(""));
        app->add_option("--target", options->target, "Warn of what this engine does with it")
            ->type_name("transformers|vllm|sglang")
            ->check(CLI::IsMember({"transformers", "vllm", "sglang"}).description(""));
        app->add_option("--device", options->device,
                        "What the engine runs on: cpu, or a compute capability such as sm_90")
            ->type_name("DEVICE");
        app->add_flag("--force", options->force, "Replace an earlier export");
      });
}

void AddOtherCommands(CommandTable* table) {
  table->Add<LogsOptions>("logs", "Print a job's log", [](CLI::App* app, LogsOptions* options) {
    AddJob(app, options);
    app->add_flag("-f,--follow", options->follow, "Until the job ends");
  });
  table->Add<CancelOptions>("cancel", "Cancel a job", [](CLI::App* app, CancelOptions* options) {
    AddJob(app, options);
    app->add_flag("-w,--wait", options->wait, "Until it has ended");
  });
  table->Add<DeleteOptions>("delete", "Delete an ended job with its log and artifact",
                            AddJob<DeleteOptions>);
  AddArtifacts(table);
  table->Add<DownloadOptions>(
      "download", "Download a job's artifact", [](CLI::App* app, DownloadOptions* options) {
        AddJob(app, options);
        app->add_option("-d,--dir", options->folder,
                        "Folder to write to (default: the present one)")
            ->type_name("DIR");
        app->add_option("--file", options->files, "Only this file; may be repeated")
            ->type_name("NAME")
            ->allow_extra_args(false);
        app->add_flag("--force", options->force, "Replace files that have other content");
        app->add_flag("--so-far", options->so_far,
                      "The scales of a job that is still in training, as scales.safetensors; "
                      "nobody has measured them yet")
            ->excludes("--file");
      });
  AddExport(table);
  table->Add<ReportOptions>("report", "Print the report of a result",
                            [](CLI::App* app, ReportOptions* options) {
                              app->add_option("artifact", options->job_or_folder,
                                              "The job, or the folder of an artifact's files")
                                  ->required()
                                  ->type_name("JOB|DIR");
                              AddChoice<ReportFormat>(app, "--format", &options->format,
                                                      {{"markdown", ReportFormat::kMarkdown},
                                                       {"html", ReportFormat::kHtml},
                                                       {"json", ReportFormat::kJson}},
                                                      "Form of the report (default: markdown)");
                            });
  table->Add<WorkersOptions>("workers", "List the workers", [](CLI::App*, WorkersOptions*) {});
  table->Add<HealthOptions>(
      "health", "Ask whether the service serves, for probes",
      [](CLI::App* app, HealthOptions* options) {
        CLI::Option* service =
            app->add_option("--service", options->service,
                            "One of its services, such as sasq.v1.QuantizationService")
                ->type_name("NAME");
        app->add_option("--metrics", options->metrics_address,
                        "Ask the metrics page of a program instead, such as a worker's")
            ->type_name("HOST:PORT")
            ->excludes(service);
      });
  table->Add<DoctorOptions>("doctor",
                            "Check settings, service, clocks, versions, access and workers",
                            [](CLI::App*, DoctorOptions*) {});
  table->Add<TopOptions>("top", "Show queue, workers and running jobs until q is pressed",
                         [](CLI::App* app, TopOptions* options) {
                           app->add_flag("--once", options->once, "Show them once");
                           AddDuration(app, "--interval", &options->interval,
                                       "Ask the service so often (default: 2s)");
                         });
}

// Commands that need no service.
void AddHelpCommands(CommandTable* table) {
  table->Add<CompletionOptions>(
      "completion", "Print a script by which a shell completes commands, flags and jobs",
      [](CLI::App* app, CompletionOptions* options) {
        AddChoice<Shell>(app, "shell", &options->shell,
                         {{"bash", Shell::kBash}, {"zsh", Shell::kZsh}, {"fish", Shell::kFish}},
                         "The shell")
            ->required();
      });
  table->Add<ManOptions>("man", "Print the manual", [](CLI::App* app, ManOptions* options) {
    AddChoice<ManFormat>(app, "--format", &options->format,
                         {{"man", ManFormat::kMan}, {"markdown", ManFormat::kMarkdown}},
                         "Form of the manual (default: man, the page for man)");
  });
  table->Add<VersionOptions>("version", "Print the version", [](CLI::App*, VersionOptions*) {});
}

// Everything that there is to say on a command line. The table's commands fill `line`.
void AddCommands(CLI::App* app, CommandTable* table, GlobalOptions* globals) {
  app->footer(kFooter);
  app->require_subcommand(1);
  app->fallthrough();  // flags of every command may follow the command
  app->get_formatter()->column_width(34);
  AddGlobals(app, globals);
  AddJobCommands(table);
  AddOtherCommands(table);
  AddHelpCommands(table);
}

}  // namespace

absl::StatusOr<CommandLine> ParseCommandLine(int argc, const char* const* argv) {
  CommandLine line;
  CLI::App app(kDescription, "sasq");
  CommandTable table(&app, &line);
  AddCommands(&app, &table, &line.globals);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help) {
    std::ostringstream text, unused;
    app.exit(help, text, unused);
    line.help = text.str();
  } catch (const CLI::ParseError& error) {
    return UsageError(error, app);
  }
  const auto* compare = std::get_if<CompareOptions>(&line.command);
  if (line.globals.output == OutputFormat::kMarkdown &&
      (compare == nullptr || compare->results.empty())) {
    return absl::InvalidArgumentError(
        "--output markdown is for `sasq compare A B`; want table, json or yaml");
  }
  if (line.globals.output != OutputFormat::kTable &&
      std::holds_alternative<TopOptions>(line.command)) {
    return absl::InvalidArgumentError(
        "--output is not for `sasq top`; want `sasq list` and `sasq workers` with it");
  }
  return line;
}

CommandTree DescribeCommandLine() {
  CommandLine unused;
  CLI::App app(kDescription, "sasq");
  CommandTable table(&app, &unused);
  AddCommands(&app, &table, &unused.globals);
  return ReadCommandTree(app);
}

}  // namespace sasq
