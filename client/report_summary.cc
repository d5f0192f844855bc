#include "client/report_summary.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status_macros.h"
#include "quant/artifact/json_fields.h"

namespace sasq {
namespace {

constexpr int kReportVersion = 2;

std::optional<double> OptionalNumber(const JsonFields& fields, absl::string_view key) {
  if (!fields.Has(key)) return std::nullopt;
  return fields.Number(key);
}

TextSummary ReadText(const JsonFields& fields, std::string name) {
  TextSummary text;
  text.name = std::move(name);
  text.perplexity = OptionalNumber(fields, "perplexity");
  text.ratio = OptionalNumber(fields, "perplexity_ratio");
  if (fields.Has("perplexity_interval")) {
    const nlohmann::json& interval = fields.value()["perplexity_interval"];
    if (!interval.is_array() || interval.size() != 2) {
      fields.Refuse("perplexity_interval", "two numbers");
    } else if (interval[0].is_number() && interval[1].is_number()) {
      text.low = interval[0].get<double>();
      text.high = interval[1].get<double>();
    }
  }
  return text;
}

void ReadRow(const JsonFields& row, ReportSummary& summary) {
  summary.row = row.String("name");
  summary.method = row.String("method");
  summary.description = row.String("description");
  summary.first_token = row.String("first_token");
  summary.activations = row.String("activations");
  summary.activation_bits = row.Count("activation_bits");
  summary.weight_bits = row.Count("weight_bits");
  summary.texts.push_back(ReadText(row, ""));
  for (const JsonFields& text : row.Objects("other_texts")) {
    summary.texts.push_back(ReadText(text, text.String("name")));
  }
  summary.decode_perplexity = OptionalNumber(row, "decode_perplexity");
  summary.kl_divergence = OptionalNumber(row, "kl_divergence");
  summary.top1_agreement = OptionalNumber(row, "top1_agreement");
  summary.float_flop_share = row.Number("float_flop_share");
  const JsonFields cost = row.Object("cost");
  summary.wall_seconds = cost.Number("wall_seconds");
  summary.cpu_seconds = cost.Number("cpu_seconds");
  summary.training_token_count = cost.Count("training_token_count");
  summary.trained_bytes = cost.Count("trained_bytes");
  summary.peak_memory_bytes = cost.Count("peak_memory_bytes");
  summary.joules = OptionalNumber(cost, "joules");
  for (const JsonFields& site : row.Objects("sites")) {
    summary.sites[site.String("site")] = {site.String("precision"), OptionalNumber(site, "scale")};
  }
}

void ReadProvenance(const JsonFields& fields, ReportSummary& summary) {
  for (const char* key : {"code_version", "device_kind", "device_name", "kernel_path"}) {
    summary.provenance.emplace_back(key, fields.String(key));
  }
  summary.provenance.emplace_back("thread_count", absl::StrCat(fields.Count("thread_count")));
  for (const JsonFields& input : fields.Objects("inputs")) {
    const std::string role = input.String("role");
    summary.provenance.emplace_back(role, input.String("uri"));
    summary.provenance.emplace_back(absl::StrCat(role, " sha256"), input.Sha256("sha256"));
  }
  if (!fields.Has("spec")) return;
  const nlohmann::json flat = fields.value()["spec"].flatten();
  for (const auto& [path, value] : flat.items()) {
    summary.provenance.emplace_back(absl::StrCat("spec", path),
                                    value.is_string() ? value.get<std::string>() : value.dump());
  }
}

}  // namespace

absl::StatusOr<ReportSummary> ReadReport(absl::string_view json, const std::string& name,
                                         const std::string& row) {
  SASQ_ASSIGN_OR_RETURN(const nlohmann::json document, ParseArtifactJson(json, name));
  absl::Status status;
  const JsonFields root(document, name, &status);
  if (root.Count("format_version") != kReportVersion) {
    return absl::InvalidArgumentError(absl::StrCat(name, " is not a report of format version ",
                                                   kReportVersion, ", which this program reads"));
  }
  ReportSummary summary;
  summary.name = name;
  summary.model = root.String("model");
  summary.dataset = root.String("dataset");
  summary.rejected = root.Has("rejected") && root.Bool("rejected");
  const std::string wanted = !row.empty() ? row : root.Has("recipe") ? root.String("recipe") : "";
  std::vector<std::string> names;
  for (const JsonFields& candidate : root.Objects("rows")) {
    names.push_back(candidate.String("name"));
    if (names.back() == wanted && summary.row.empty()) ReadRow(candidate, summary);
  }
  ReadProvenance(root.Object("provenance"), summary);
  SASQ_RETURN_IF_ERROR(status);
  if (!summary.row.empty()) return summary;
  return absl::InvalidArgumentError(
      absl::StrCat(name,
                   wanted.empty() ? " is a comparison: choose one of its rows with --row: "
                                  : absl::StrCat(" has no row ", wanted, ", it has "),
                   absl::StrJoin(names, ", ")));
}

std::vector<SiteDifference> CompareSites(const ReportSummary& a, const ReportSummary& b) {
  std::vector<SiteDifference> differences;
  for (const auto& [name, site] : a.sites) {
    const auto other = b.sites.find(name);
    if (other == b.sites.end()) continue;
    SiteDifference difference{name, site, other->second, std::nullopt};
    if (site.scale.value_or(0) > 0 && other->second.scale.value_or(0) > 0) {
      difference.ratio = *other->second.scale / *site.scale;
    }
    if (site.precision != other->second.precision || difference.ratio.value_or(1) != 1) {
      differences.push_back(std::move(difference));
    }
  }
  const auto rank = [](const SiteDifference& difference) {
    if (difference.a.precision != difference.b.precision) return HUGE_VAL;
    return std::abs(std::log(*difference.ratio));
  };
  std::stable_sort(differences.begin(), differences.end(),
                   [&](const SiteDifference& left, const SiteDifference& right) {
                     return rank(left) > rank(right);
                   });
  return differences;
}

std::vector<FieldDifference> CompareProvenance(const ReportSummary& a, const ReportSummary& b) {
  std::vector<FieldDifference> differences;
  const auto find = [](const ReportSummary& summary, const std::string& field) {
    const auto found = std::find_if(summary.provenance.begin(), summary.provenance.end(),
                                    [&field](const auto& entry) { return entry.first == field; });
    return found == summary.provenance.end() ? std::string() : found->second;
  };
  for (const auto& [field, value] : a.provenance) {
    const std::string other = find(b, field);
    if (other != value) differences.push_back({field, value, other});
  }
  for (const auto& [field, value] : b.provenance) {
    if (find(a, field).empty() && !value.empty()) differences.push_back({field, "", value});
  }
  return differences;
}

}  // namespace sasq
