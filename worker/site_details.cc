#include "worker/site_details.h"

#include <algorithm>
#include <cmath>

#include "quant/methods/static_scales.h"

namespace sasq {
namespace {

constexpr int kMinOctave = -12;
constexpr int kMaxOctave = 12;
constexpr double kMaxDecibels = 200;  // of a site without any error

void AddOctaves(const SiteStatistics& statistics, worker::v1::MeasuredSite& site) {
  std::vector<int64_t> octaves(kMaxOctave - kMinOctave + 2, 0);
  for (int bin = 0; bin < MagnitudeHistogram::kBinCount; ++bin) {
    const size_t index = static_cast<size_t>(bin);
    const int64_t count = statistics.first.counts()[index] + statistics.rest.counts()[index];
    const double magnitude = MagnitudeHistogram::LowerBound(bin);
    const int octave = magnitude > 0 ? std::ilogb(magnitude) : kMinOctave - 1;
    const int slot = std::clamp(octave, kMinOctave - 1, kMaxOctave) - kMinOctave + 1;
    octaves[static_cast<size_t>(slot)] += count;
  }
  site.mutable_octave_counts()->Assign(octaves.begin(), octaves.end());
}

void AddStatistics(const SiteStatistics& statistics, const QuantizationRules& rules, float scale,
                   worker::v1::MeasuredSite& site) {
  site.set_absmax(statistics.absmax);
  site.set_absmax_without_first(statistics.absmax_without_first);
  AddOctaves(statistics, site);
  for (const OutlierToken& outlier : statistics.outliers) {
    worker::v1::OutlierToken& added = *site.add_outliers();
    added.set_token(outlier.token);
    added.set_position(outlier.position);
    added.set_magnitude(outlier.magnitude);
  }
  if (scale <= 0) return;
  const QuantizationError error =
      ExpectedError(statistics, scale, rules.activation_bits, rules.leading_tokens_float);
  site.set_clipped_share(error.clipped_share);
  site.set_signal_to_noise_db(std::min(error.signal_to_noise_db, kMaxDecibels));
}

}  // namespace

void AddSiteDetails(const PreparedRecipe& prepared, worker::v1::MeasuredRow& measured) {
  for (size_t i = 0; i < prepared.rules.sites.size(); ++i) {
    const SiteRule& rule = prepared.rules.sites[i];
    worker::v1::MeasuredSite& site = *measured.add_sites();
    site.set_precision(static_cast<int32_t>(rule.precision));
    site.set_scale(rule.scale);
    if (!prepared.initial_rules.sites.empty()) {
      site.set_initial_scale(prepared.initial_rules.sites[i].scale);
    }
    if (!prepared.gradient_shares.empty()) {
      site.set_gradient_share(prepared.gradient_shares[i]);
    }
    if (!prepared.float_gains.empty() && prepared.float_gains[i].has_value()) {
      site.set_float_gain_nats(*prepared.float_gains[i]);
    }
    if (prepared.statistics != nullptr) {
      AddStatistics(prepared.statistics->sites[i], prepared.rules, rule.scale, site);
    }
  }
}

void AddSmoothingFactors(const PreparedRecipe& prepared, worker::v1::MeasuredRow& measured) {
  for (const auto& [site, factors] : prepared.smoothing_factors) {
    measured.mutable_sites(SiteIndex(site))
        ->mutable_smoothing_factors()
        ->Assign(factors.begin(), factors.end());
  }
}

void StoreRules(const QuantizationRules& rules,
                google::protobuf::RepeatedPtrField<worker::v1::MeasuredSite>& sites) {
  sites.Clear();
  for (const SiteRule& rule : rules.sites) {
    worker::v1::MeasuredSite& site = *sites.Add();
    site.set_precision(static_cast<int32_t>(rule.precision));
    site.set_scale(rule.scale);
  }
}

std::vector<SiteRule> LoadRules(
    const google::protobuf::RepeatedPtrField<worker::v1::MeasuredSite>& sites) {
  std::vector<SiteRule> rules;
  for (const worker::v1::MeasuredSite& site : sites) {
    rules.push_back({static_cast<SitePrecision>(site.precision()), site.scale()});
  }
  return rules;
}

}  // namespace sasq
