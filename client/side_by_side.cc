#include "client/side_by_side.h"

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "client/table.h"
#include "client/text.h"

namespace sasq {
namespace {

constexpr size_t kMaxShownSites = 10;
constexpr char kNothing[] = "-";

// A part of the comparison: rows under the same headers.
struct Section {
  std::string title;  // empty: none
  std::vector<std::string> headers;
  std::vector<std::vector<std::string>> rows;
  std::string note;  // after the rows; empty: none
};

using Text = std::function<std::string(const ReportSummary&)>;

std::string Percent(double share) { return absl::StrFormat("%.1f%%", 100 * share); }

std::string PerplexityCell(const TextSummary& text) {
  if (!text.perplexity.has_value()) return kNothing;
  std::string cell = PerplexityText(*text.perplexity);
  if (text.low.has_value()) {
    absl::StrAppend(&cell, " (", PerplexityText(*text.low), "..", PerplexityText(*text.high), ")");
  }
  return cell;
}

std::string IncreaseCell(const TextSummary& text) {
  return text.ratio.has_value() ? absl::StrFormat("%+.2f%%", 100 * (*text.ratio - 1)) : kNothing;
}

const TextSummary* FindText(const ReportSummary& summary, const std::string& name) {
  for (const TextSummary& text : summary.texts) {
    if (text.name == name) return &text;
  }
  return nullptr;
}

std::string OptionalText(const std::optional<double>& value,
                         const std::function<std::string(double)>& text) {
  return value.has_value() ? text(*value) : kNothing;
}

std::string BitsText(const ReportSummary& summary) {
  return absl::StrCat("w", summary.weight_bits, "a", summary.activation_bits, " ",
                      summary.activations);
}

std::string SitesText(const ReportSummary& summary) {
  std::map<std::string, int> counts;
  for (const auto& [name, site] : summary.sites) ++counts[site.precision];
  std::string text;
  for (const auto& [precision, count] : counts) {
    absl::StrAppend(&text, text.empty() ? "" : ", ", count, " ", precision);
  }
  return text.empty() ? kNothing : text;
}

// Lines of both reports' texts, in the order of the first.
void AddTexts(const ReportSummary& a, const ReportSummary& b, Section& section) {
  std::vector<std::string> names;
  for (const ReportSummary* summary : {&a, &b}) {
    for (const TextSummary& text : summary->texts) {
      if (std::find(names.begin(), names.end(), text.name) == names.end()) {
        names.push_back(text.name);
      }
    }
  }
  const auto add = [&](const std::string& label, const std::string& name,
                       std::string (*cell)(const TextSummary&)) {
    const auto text_of = [&](const ReportSummary& summary) {
      const TextSummary* text = FindText(summary, name);
      return text == nullptr ? std::string(kNothing) : cell(*text);
    };
    section.rows.push_back({label, text_of(a), text_of(b)});
  };
  for (const std::string& name : names) {
    const std::string suffix = name.empty() ? "" : absl::StrCat(" on ", name);
    add(absl::StrCat("perplexity", suffix), name, &PerplexityCell);
    add(absl::StrCat("over float", suffix), name, &IncreaseCell);
  }
}

Section FigureSection(const ReportSummary& a, const ReportSummary& b) {
  Section section;
  section.headers = {"", a.name, b.name};
  // A line that has nothing to say on either side is left out.
  const auto add = [&](const std::string& label, const Text& text) {
    const std::string of_a = text(a);
    const std::string of_b = text(b);
    if (of_a != kNothing || of_b != kNothing) section.rows.push_back({label, of_a, of_b});
  };
  const auto four = [](double value) { return absl::StrFormat("%.4f", value); };
  const auto bytes = [](double value) { return BytesText(static_cast<int64_t>(value)); };
  add("model", [](const ReportSummary& s) { return s.model; });
  add("text", [](const ReportSummary& s) { return s.dataset; });
  add("row", [](const ReportSummary& s) { return s.row; });
  add("method", [](const ReportSummary& s) { return s.method; });
  add("details", [](const ReportSummary& s) {
    return s.description.empty() ? std::string(kNothing) : s.description;
  });
  add("numbers", &BitsText);
  add("first token", [](const ReportSummary& s) { return s.first_token; });
  add("gates", [](const ReportSummary& s) {
    return s.rejected ? std::string("rejected") : std::string(kNothing);
  });
  AddTexts(a, b, section);
  add("decode perplexity",
      [](const ReportSummary& s) { return OptionalText(s.decode_perplexity, &PerplexityText); });
  add("KL", [&](const ReportSummary& s) { return OptionalText(s.kl_divergence, four); });
  add("top-1", [](const ReportSummary& s) { return OptionalText(s.top1_agreement, &Percent); });
  add("in float", [](const ReportSummary& s) { return Percent(s.float_flop_share); });
  add("sites", &SitesText);
  add("scale pack", [&](const ReportSummary& s) { return OptionalText(s.pack_bytes, bytes); });
  add("trained", [](const ReportSummary& s) { return BytesText(s.trained_bytes); });
  add("training", [](const ReportSummary& s) {
    return absl::StrCat(CountText(static_cast<double>(s.training_token_count)), " tokens");
  });
  add("time", [](const ReportSummary& s) { return DurationText(absl::Seconds(s.wall_seconds)); });
  add("processor time",
      [](const ReportSummary& s) { return DurationText(absl::Seconds(s.cpu_seconds)); });
  add("memory", [](const ReportSummary& s) { return BytesText(s.peak_memory_bytes); });
  add("energy", [](const ReportSummary& s) {
    return OptionalText(s.joules, [](double value) { return absl::StrFormat("%.0f J", value); });
  });
  return section;
}

std::string SiteText(const SiteSummary& site) {
  if (site.precision != "static" && site.precision != "clipped") return site.precision;
  return OptionalText(site.scale, [](double scale) { return absl::StrFormat("%.6g", scale); });
}

Section ScaleSection(const ReportSummary& a, const ReportSummary& b) {
  const std::vector<SiteDifference> differences = CompareSites(a, b);
  Section section{"Scales that differ most", {"site", a.name, b.name, "ratio"}, {}, ""};
  for (size_t i = 0; i < std::min(differences.size(), kMaxShownSites); ++i) {
    const SiteDifference& difference = differences[i];
    section.rows.push_back({difference.site, SiteText(difference.a), SiteText(difference.b),
                            OptionalText(difference.ratio, [](double ratio) {
                              return absl::StrFormat("%.3f", ratio);
                            })});
  }
  if (differences.empty()) {
    section.note = "No scale differs.";
  } else if (differences.size() > kMaxShownSites) {
    section.note = absl::StrCat("And ", differences.size() - kMaxShownSites, " more sites.");
  }
  return section;
}

Section ProvenanceSection(const ReportSummary& a, const ReportSummary& b) {
  Section section{"Where they come from", {"field", a.name, b.name}, {}, ""};
  for (const FieldDifference& difference : CompareProvenance(a, b)) {
    section.rows.push_back({difference.field, difference.a.empty() ? kNothing : difference.a,
                            difference.b.empty() ? kNothing : difference.b});
  }
  if (section.rows.empty()) section.note = "Nothing differs.";
  return section;
}

std::vector<Section> Sections(const ReportSummary& a, const ReportSummary& b) {
  return {FigureSection(a, b), ScaleSection(a, b), ProvenanceSection(a, b)};
}

// What would end a cell, or be read as a tag, is escaped.
std::string MarkdownCell(const std::string& text) {
  return absl::StrReplaceAll(
      CleanLine(text), {{"|", "\\|"}, {"<", "\\<"}, {"_", "\\_"}, {"*", "\\*"}, {"`", "\\`"}});
}

void AppendMarkdownRow(const std::vector<std::string>& cells, std::string& markdown) {
  markdown += "|";
  for (const std::string& cell : cells) absl::StrAppend(&markdown, " ", MarkdownCell(cell), " |");
  markdown += "\n";
}

template <typename Value>
nlohmann::ordered_json OrNull(const std::optional<Value>& value) {
  return value.has_value() ? nlohmann::ordered_json(*value) : nlohmann::ordered_json(nullptr);
}

nlohmann::ordered_json ToJson(const ReportSummary& summary) {
  nlohmann::ordered_json texts = nlohmann::ordered_json::array();
  for (const TextSummary& text : summary.texts) {
    texts.push_back({{"name", text.name},
                     {"perplexity", OrNull(text.perplexity)},
                     {"perplexity_low", OrNull(text.low)},
                     {"perplexity_high", OrNull(text.high)},
                     {"ratio_to_float", OrNull(text.ratio)}});
  }
  return {{"name", summary.name},
          {"model", summary.model},
          {"dataset", summary.dataset},
          {"rejected", summary.rejected},
          {"row", summary.row},
          {"method", summary.method},
          {"description", summary.description},
          {"first_token", summary.first_token},
          {"activations", summary.activations},
          {"activation_bits", summary.activation_bits},
          {"weight_bits", summary.weight_bits},
          {"texts", std::move(texts)},
          {"decode_perplexity", OrNull(summary.decode_perplexity)},
          {"kl_divergence", OrNull(summary.kl_divergence)},
          {"top1_agreement", OrNull(summary.top1_agreement)},
          {"float_flop_share", summary.float_flop_share},
          {"scale_pack_bytes", OrNull(summary.pack_bytes)},
          {"trained_bytes", summary.trained_bytes},
          {"training_token_count", summary.training_token_count},
          {"wall_seconds", summary.wall_seconds},
          {"cpu_seconds", summary.cpu_seconds},
          {"peak_memory_bytes", summary.peak_memory_bytes},
          {"joules", OrNull(summary.joules)}};
}

nlohmann::ordered_json ToJson(const SiteSummary& site) {
  return {{"precision", site.precision}, {"scale", OrNull(site.scale)}};
}

}  // namespace

std::string SideBySideTables(const ReportSummary& a, const ReportSummary& b, const TextStyle& style,
                             int max_width) {
  std::string text;
  for (const Section& section : Sections(a, b)) {
    if (!section.title.empty()) {
      absl::StrAppend(&text, "\n", style.Paint(TextColor::kBold, section.title), "\n");
    }
    std::vector<Table::Column> columns;
    for (const std::string& header : section.headers) {
      columns.push_back({header, Table::Align::kLeft, /*may_shrink=*/!columns.empty()});
    }
    Table table(columns);
    for (const std::vector<std::string>& row : section.rows) {
      table.AddRow({row.begin(), row.end()});
    }
    if (!table.empty()) text += table.Render(style, max_width);
    if (!section.note.empty()) absl::StrAppend(&text, section.note, "\n");
  }
  return text;
}

std::string SideBySideMarkdown(const ReportSummary& a, const ReportSummary& b) {
  std::string markdown;
  for (const Section& section : Sections(a, b)) {
    if (!section.title.empty()) absl::StrAppend(&markdown, "\n### ", section.title, "\n\n");
    if (!section.rows.empty()) {
      AppendMarkdownRow(section.headers, markdown);
      markdown += "|";
      for (size_t i = 0; i < section.headers.size(); ++i) markdown += " --- |";
      markdown += "\n";
      for (const auto& row : section.rows) AppendMarkdownRow(row, markdown);
      if (!section.note.empty()) markdown += "\n";
    }
    if (!section.note.empty()) absl::StrAppend(&markdown, section.note, "\n");
  }
  return markdown;
}

std::string SideBySideJson(const ReportSummary& a, const ReportSummary& b) {
  nlohmann::ordered_json scales = nlohmann::ordered_json::array();
  for (const SiteDifference& difference : CompareSites(a, b)) {
    scales.push_back({{"site", difference.site},
                      {"a", ToJson(difference.a)},
                      {"b", ToJson(difference.b)},
                      {"ratio", OrNull(difference.ratio)}});
  }
  nlohmann::ordered_json provenance = nlohmann::ordered_json::array();
  for (const FieldDifference& difference : CompareProvenance(a, b)) {
    provenance.push_back({{"field", difference.field}, {"a", difference.a}, {"b", difference.b}});
  }
  const nlohmann::ordered_json json = {
      {"a", ToJson(a)}, {"b", ToJson(b)}, {"scales", scales}, {"provenance", provenance}};
  return json.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace sasq
