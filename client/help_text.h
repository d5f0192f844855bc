// The texts of the help that belong to no single flag.
#ifndef SASQ_CLIENT_HELP_TEXT_H_
#define SASQ_CLIENT_HELP_TEXT_H_

namespace sasq {

inline constexpr char kDescription[] =
    "sasq: trained static INT8 activation scales for language models, as a service.";

inline constexpr char kFooter[] =
    "JOB is jobs/ID, ID, or the first 6 or more digits of it. DURATION is like 90s, 30m or 1h30m.\n"
    "The service is named by --endpoint, $SASQ_ENDPOINT, or `endpoint:` in\n"
    "~/.config/sasq/config.yaml ($SASQ_CONFIG names another file); so are TLS files and token.\n"
    "\n"
    "Exit codes: 0 ok, 1 failed, 2 usage, 3 quality gate failed, 4 not found or denied,\n"
    "5 service unavailable, 124 wait timed out, 130 interrupted (the job lives on).\n"
    "\n"
    "Example:\n"
    "  sasq submit --model /models/smollm2 --train-text train.txt --eval-text test.txt --wait";

inline constexpr char kSpecFooter[] =
    "METHOD: fp, rtn_dynamic, static_absmax, static_percentile, static_mse, smoothquant, quarot,\n"
    "spinquant, llm_qat, sasq, fp_clipped, or a preset: sasq_serve, sasq_max. --baseline may be\n"
    "repeated; :float keeps the first token in floating point, :prefix a cached prefix.\n"
    "GATE: max-ppl-increase, max-ppl-increase-over-dynamic, max-ppl, min-top1-agreement, max-kl;\n"
    "the first three also of other texts, as in max-ppl@code=9.5; min-task-accuracy@TASK of a "
    "task.\n"
    "Flags override the fields of --spec. Example of a spec file:\n"
    "  model: {uri: /models/smollm2}\n"
    "  training_text: {uri: wiki.valid.tokens}\n"
    "  evaluation_text: {uri: wiki.test.raw, layout: wikitext_rows}\n"
    "  recipe: {method: sasq, first_token: float, training: {step_count: 100}}\n"
    "`sasq --help` shows the flags that every command knows.";

inline constexpr char kCommandFooter[] = "`sasq --help` shows the flags that every command knows.";

}  // namespace sasq

#endif  // SASQ_CLIENT_HELP_TEXT_H_
