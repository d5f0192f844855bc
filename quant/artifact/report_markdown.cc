#include "quant/artifact/report_markdown.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "quant/artifact/report_analysis.h"
#include "quant/artifact/report_format.h"
#include "quant/artifact/report_markup.h"
#include "quant/artifact/report_tables.h"
#include "quant/artifact/report_words.h"

namespace sasq {
namespace {

void AppendSentences(const std::vector<std::string>& sentences, std::string& markdown) {
  for (const std::string& sentence : sentences) {
    absl::StrAppend(&markdown, "- ", MarkedMarkdown(sentence), "\n");
  }
  if (!sentences.empty()) markdown += "\n";
}

void AppendTable(const ReportTable& table, std::string& markdown) {
  if (table.rows.empty()) return;
  absl::StrAppend(&markdown, "### ", MarkedMarkdown(table.title), "\n\n");
  if (!table.note.empty()) absl::StrAppend(&markdown, MarkedMarkdown(table.note), "\n\n");
  std::string rule = "|";
  markdown += "|";
  for (const TableColumn& column : table.columns) {
    absl::StrAppend(&markdown, " ", MarkedMarkdown(column.title), " |");
    rule += column.numeric ? " ---: |" : " --- |";
  }
  absl::StrAppend(&markdown, "\n", rule, "\n");
  for (const TableRow& row : table.rows) {
    if (!row.group.empty()) {
      absl::StrAppend(&markdown, "| *", MarkedMarkdown(row.group), "* |");
      for (size_t i = 1; i < table.columns.size(); ++i) markdown += " |";
    } else {
      markdown += "|";
      for (const ReportCell& cell : row.cells) {
        const bool strong = row.marked && &cell == &row.cells.front();
        absl::StrAppend(&markdown, strong ? " **" : " ", MarkedMarkdown(cell.text),
                        strong ? "** |" : " |");
      }
    }
    markdown += "\n";
  }
  markdown += "\n";
}

void AppendAdvice(const Advice& advice, std::string& markdown) {
  absl::StrAppend(&markdown, "**", MarkedMarkdown(advice.situation), " ",
                  advice.row == nullptr ? std::string("none of these rows.")
                                        : absl::StrCat(Code(advice.row->row->name), "** (",
                                                       MethodLabel(advice.row->row->method), ")."),
                  advice.row == nullptr ? "**\n\n" : "\n\n");
  AppendSentences(advice.sentences, markdown);
}

void AppendTrainings(const ReportAnalysis& analysis, std::string& markdown) {
  bool titled = false;
  for (const RowAnalysis& row : analysis.rows) {
    const std::vector<std::string> words = TrainingWords(analysis, row);
    if (words.empty()) continue;
    if (!titled) markdown += "## Why training works here, or does not\n\n";
    titled = true;
    absl::StrAppend(&markdown, "### ", Code(row.row->name), "\n\n");
    AppendSentences(words, markdown);
  }
}

void AppendCost(const Report& report, const ReportAnalysis& analysis, std::string& markdown) {
  const Cost& cost = report.cost;
  markdown += "## Cost\n\n";
  AppendSentences(CostWords(analysis), markdown);
  AppendTable(CostTable(analysis), markdown);
  absl::StrAppend(&markdown, "The whole job: ", FormatSeconds(cost.wall_seconds), " of wall time, ",
                  FormatSeconds(cost.cpu_seconds), " of processor time, ",
                  FormatFlops(cost.flop_count), ", ", FormatBytes(cost.peak_memory_bytes),
                  " of memory at most, energy ",
                  cost.joules.has_value() ? absl::StrFormat("%.0f J", *cost.joules)
                                          : std::string("not measurable on this machine"),
                  ".\n\n");
}

}  // namespace

std::string ReportMarkdown(const Report& report) {
  const ReportAnalysis analysis = Analyze(report);
  std::string markdown = absl::StrCat(
      "# ", Code(report.model), "\n\nWays to run this model in INT8 arithmetic, measured on ",
      Code(report.dataset),
      ". Perplexity says how much text surprises a model: lower is better.\n\n");
  if (!report.gates.empty()) {
    absl::StrAppend(&markdown, "## ", GatesTitle(report), "\n\n");
    AppendSentences(GateWords(report), markdown);
  }
  if (!analysis.rows.empty()) {
    markdown += "## Which method to use\n\n";
    if (const std::optional<Advice> artifact = ArtifactAdvice(analysis)) {
      AppendAdvice(*artifact, markdown);
    }
    AppendAdvice(ServingAdvice(analysis), markdown);
    AppendAdvice(RuntimeAdvice(analysis), markdown);
  }
  const std::vector<std::string> warnings = WarningWords(analysis);
  if (!warnings.empty()) markdown += "## Before you believe it\n\n";
  AppendSentences(warnings, markdown);
  markdown += "## Comparison\n\n";
  for (const ReportTable& table :
       {QualityTable(analysis), OtherTextsTable(analysis), BehaviourTable(analysis),
        TasksTable(analysis), ServingTable(analysis)}) {
    AppendTable(table, markdown);
  }
  for (absl::string_view group : {"quantized", "float", "prefix"}) {
    ReportTable table = AblationTable(analysis, group);
    absl::StrAppend(&table.title, ": ", GroupTitle(group));
    AppendTable(table, markdown);
    AppendSentences(AblationWords(analysis, group), markdown);
  }
  AppendTrainings(analysis, markdown);
  AppendCost(report, analysis, markdown);
  const Provenance& provenance = report.provenance;
  absl::StrAppend(&markdown, "## Where it comes from\n\nSASQ ", Code(provenance.code_version),
                  " on ", Code(provenance.device_name), " (", Code(provenance.kernel_path), ", ",
                  Counted(provenance.thread_count, "thread"), ").\n\n");
  for (const InputDigest& input : provenance.inputs) {
    absl::StrAppend(&markdown, "- ", Code(input.role), " ", Code(input.uri), ", SHA-256 ",
                    Code(input.sha256), "\n");
  }
  return markdown;
}

}  // namespace sasq
