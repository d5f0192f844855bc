// The table of a row's sites.
#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "quant/artifact/report_format.h"
#include "quant/artifact/report_tables.h"

namespace sasq {
namespace {

std::string Figure(double value) { return value == 0 ? kNoFigure : absl::StrFormat("%.4g", value); }

std::string Share(double share) { return share == 0 ? "0" : FormatShare(share); }

TableRow SiteRow(const SiteReport& site, bool has_gains) {
  const bool has_scale = site.scale > 0;
  const bool trained = site.initial_scale > 0 && has_scale;
  TableRow row;
  row.marked = site.precision == "float" || site.precision == "dynamic";
  row.cells = {
      {Code(SiteName(site.site))},
      {site.precision},
      {Figure(site.initial_scale)},
      {Figure(site.scale)},
      {trained ? absl::StrFormat("%.3f\u00d7", site.scale / site.initial_scale) : kNoFigure},
      {has_scale ? Share(site.clipped_share) : kNoFigure},
      {has_scale && std::isfinite(site.signal_to_noise_db)
           ? absl::StrFormat("%.1f dB", site.signal_to_noise_db)
           : kNoFigure},
      {trained ? Share(site.gradient_share) : kNoFigure},
      {Figure(site.absmax)},
      {Figure(site.absmax_without_first)}};
  if (has_gains) {
    row.cells.push_back({site.float_gain_nats.has_value()
                             ? absl::StrFormat("%.4f nats", *site.float_gain_nats)
                             : kNoFigure});
  }
  return row;
}

}  // namespace

ReportTable SitesTable(const ComparisonRow& row) {
  const bool has_gains =
      std::any_of(row.sites.begin(), row.sites.end(),
                  [](const SiteReport& site) { return site.float_gain_nats.has_value(); });
  ReportTable table{absl::StrCat("All ", Counted(static_cast<int64_t>(row.sites.size()), "site")),
                    "Largest magnitudes are those of calibration. Marked sites are not static.",
                    {{"Site", false},
                     {"Precision", false},
                     {"Initial scale"},
                     {"Scale"},
                     {"Ratio"},
                     {"Clipped"},
                     {"Signal to noise"},
                     {"Gradient"},
                     {"Largest"},
                     {"Without first token"}},
                    {}};
  if (has_gains) table.columns.push_back({"Gain in float"});
  for (const SiteReport& site : row.sites) table.rows.push_back(SiteRow(site, has_gains));
  return table;
}

}  // namespace sasq
