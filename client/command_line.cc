#include "client/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <sstream>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/nearest_name.h"
#include "client/text.h"

namespace sasq {
namespace {

constexpr char kDescription[] =
    "sasq: trained static INT8 activation scales for language models, as a service.";

constexpr char kFooter[] =
    "JOB is jobs/ID, ID, or the first 6 or more digits of it. DURATION is like 90s, 30m or 1h30m.\n"
    "The service is named by --endpoint, $SASQ_ENDPOINT, or `endpoint:` in\n"
    "~/.config/sasq/config.yaml ($SASQ_CONFIG names another file).\n"
    "\n"
    "Exit codes: 0 ok, 1 failed, 2 usage, 4 not found or denied, 5 service unavailable,\n"
    "124 wait timed out, 130 interrupted (the job lives on).\n"
    "\n"
    "Example:\n"
    "  sasq submit --model /models/smollm2 --train-text train.txt --eval-text test.txt --wait";

constexpr char kSpecFooter[] =
    "METHOD: fp, rtn_dynamic, static_absmax, static_percentile, static_mse, smoothquant, quarot,\n"
    "spinquant, llm_qat, sasq, fp_clipped, or a preset: sasq_serve, sasq_max. --baseline may be\n"
    "repeated; :float keeps the first token in floating point, :prefix a cached prefix.\n"
    "Flags override the fields of --spec. Example of a spec file:\n"
    "  model: {uri: /models/smollm2}\n"
    "  training_text: {uri: wiki.valid.tokens}\n"
    "  evaluation_text: {uri: wiki.test.raw, layout: wikitext_rows}\n"
    "  recipe: {method: sasq, first_token: float, training: {step_count: 100}}\n"
    "`sasq --help` shows the flags that every command knows.";

constexpr char kCommandFooter[] = "`sasq --help` shows the flags that every command knows.";

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
void AddChoice(CLI::App* app, const std::string& name, Enum* value,
               std::map<std::string, Enum> choices, const std::string& help) {
  std::string names;
  for (const auto& [choice, unused] : choices) {
    absl::StrAppend(&names, names.empty() ? "" : "|", choice);
  }
  app->add_option_function<std::string>(
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
  app->add_option("-e,--endpoint", globals->endpoint, "The service")->type_name("HOST:PORT");
  AddChoice<OutputFormat>(app, "-o,--output", &globals->output,
                          {{"table", OutputFormat::kTable},
                           {"json", OutputFormat::kJson},
                           {"yaml", OutputFormat::kYaml}},
                          "Form of the results (default: table)");
  AddChoice<ColorMode>(
      app, "--color", &globals->color,
      {{"auto", ColorMode::kAuto}, {"always", ColorMode::kAlways}, {"never", ColorMode::kNever}},
      "Colors (default: auto, none where $NO_COLOR is set)");
  app->add_flag("-q,--quiet", globals->quiet, "No progress and notes; lists show names only");
  AddDuration(app, "--timeout", &globals->call_timeout, "Limit of one call (default: 30s)");
  AddDuration(app, "--reconnect-timeout", &globals->reconnect_timeout,
              "Give up a lost connection after this (default: 5m)");
}

// The commands, each filling `line` once it was chosen.
class CommandTable {
 public:
  CommandTable(CLI::App* app, CommandLine* line) : app_(app), line_(line) {}

  // `define` adds the command's flags for options that live as long as this table.
  template <typename Options>
  void Add(const std::string& name, const std::string& help,
           const std::function<void(CLI::App*, Options*)>& define) {
    auto options = std::make_shared<Options>();
    CLI::App* command = app_->add_subcommand(name, help);
    command->footer(kCommandFooter);
    define(command, options.get());
    command->callback([this, options] { line_->command = *options; });
    names_.push_back(name);
  }

  const std::vector<std::string>& names() const { return names_; }

 private:
  CLI::App* const app_;
  CommandLine* const line_;
  std::vector<std::string> names_;
};

template <typename Options>
void AddJob(CLI::App* command, Options* options) {
  command->add_option("job", options->job, "The job")->required()->type_name("JOB");
}

void AddSpec(CLI::App* command, SpecArguments* spec) {
  command
      ->add_option("-f,--spec,spec", spec->spec_file,
                   "Job spec in YAML or JSON, - for standard input")
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
  command->add_flag("--upload", spec->upload,
                    "Upload the local model and texts: the workers need not see them");
  command->footer(kSpecFooter);
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
      "compare", "Compare methods on one model in one job, and print the table",
      [](CLI::App* app, CompareOptions* options) {
        AddSpec(app, &options->spec);
        app->add_option("--request-id", options->request_id,
                        "Makes a repeat safe: the same id and spec give the same job")
            ->type_name("ID");
        app->add_flag("--detach", options->detach, "Print the job's name and leave it running");
      });
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
        app->add_option("-n,--limit", options->limit, "At most this many (default: 50)")
            ->type_name("N")
            ->check(CLI::Range(1, 100'000));
      });
  table->Add<WatchOptions>("watch", "Follow a job to its end and print the comparison",
                           AddJob<WatchOptions>);
  table->Add<WaitOptions>(
      "wait", "Like watch, with a limit", [](CLI::App* app, WaitOptions* options) {
        AddJob(app, options);
        AddDuration(app, "--timeout", &options->timeout,
                    "Stop waiting after this, with exit code 124 (default: never)");
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
  table->Add<ArtifactsOptions>("artifacts", "Show the files of a job's artifact",
                               AddJob<ArtifactsOptions>);
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
      });
  table->Add<WorkersOptions>("workers", "List the workers", [](CLI::App*, WorkersOptions*) {});
  table->Add<VersionOptions>("version", "Print the version", [](CLI::App*, VersionOptions*) {});
}

// What is wrong with a command line that CLI11 refused. `chosen`: the command, null if there is
// none.
std::string Problem(const CLI::ParseError& error, const CLI::App& app, const CLI::App* chosen,
                    const CommandTable& table) {
  const std::vector<std::string> words = app.remaining(/*recurse=*/true);
  const auto flag = std::find_if(words.begin(), words.end(), [](const std::string& word) {
    return absl::StartsWith(word, "-");
  });
  if (flag != words.end()) {
    std::vector<std::string> names;
    for (const CLI::App* owner : {chosen, &app}) {
      if (owner == nullptr) continue;
      for (const CLI::Option* option : owner->get_options()) {
        for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
      }
    }
    return absl::StrCat("there is no flag ", *flag, DidYouMean(*flag, names));
  }
  if (chosen == nullptr && words.empty()) return "no command was given";
  if (chosen == nullptr) {
    return absl::StrCat("there is no command ", words.front(),
                        DidYouMean(words.front(), table.names()));
  }
  return words.empty() ? error.what() : absl::StrCat("unexpected argument ", words.front());
}

absl::Status UsageError(const CLI::ParseError& error, const CLI::App& app,
                        const CommandTable& table) {
  const std::vector<CLI::App*> commands = app.get_subcommands();
  const CLI::App* chosen = commands.empty() ? nullptr : commands[0];
  const std::string problem = Problem(error, app, chosen, table);
  const absl::string_view end = absl::EndsWith(problem, "?") ? " See" : "; see";
  return absl::InvalidArgumentError(absl::StrCat(
      problem, end, " `sasq ", chosen == nullptr ? "" : chosen->get_name() + " ", "--help`"));
}

}  // namespace

absl::StatusOr<CommandLine> ParseCommandLine(int argc, const char* const* argv) {
  CommandLine line;
  CLI::App app(kDescription, "sasq");
  app.footer(kFooter);
  app.require_subcommand(1);
  app.fallthrough();  // flags of every command may follow the command
  app.get_formatter()->column_width(34);
  AddGlobals(&app, &line.globals);
  CommandTable table(&app, &line);
  AddJobCommands(&table);
  AddOtherCommands(&table);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help) {
    std::ostringstream text, unused;
    app.exit(help, text, unused);
    line.help = text.str();
  } catch (const CLI::ParseError& error) {
    return UsageError(error, app, table);
  }
  return line;
}

}  // namespace sasq
