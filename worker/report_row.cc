#include "worker/report_row.h"

#include <optional>

#include "quant/format/site_rule.h"
#include "worker/recipes.h"

namespace sasq {
namespace {

// `Figures`: ReportRow or TextPerplexity.
template <typename Figures>
TextResult MakeText(const std::string& name, const Figures& figures,
                    const google::protobuf::RepeatedField<double>& losses) {
  TextResult text;
  text.name = name;
  text.perplexity = figures.perplexity();
  if (figures.has_perplexity_low()) {
    text.interval = {figures.perplexity_low(), figures.perplexity_high()};
  }
  text.token_count = figures.token_count();
  text.window_mean_loss = {losses.begin(), losses.end()};
  return text;
}

RowCost MakeCost(const v1::RowCost& cost) {
  RowCost result;
  result.wall_seconds = cost.wall_seconds();
  result.cpu_seconds = cost.cpu_seconds();
  result.training_token_count = cost.training_token_count();
  result.training_flop_count = cost.training_flop_count();
  result.training_cpu_seconds = cost.training_cpu_seconds();
  result.flop_count = cost.flop_count();
  result.peak_memory_bytes = cost.peak_memory_bytes();
  if (cost.has_joules()) result.joules = cost.joules();
  result.trained_bytes = cost.trained_bytes();
  return result;
}

std::string PrecisionName(int32_t precision) {
  switch (static_cast<SitePrecision>(precision)) {
    case SitePrecision::kStatic:
      return "static";
    case SitePrecision::kDynamic:
      return "dynamic";
    case SitePrecision::kFloat:
      return "float";
    case SitePrecision::kClipped:
      return "clipped";
  }
  return "";
}

SiteReport MakeSite(SiteId id, const worker::v1::MeasuredSite& site, const Tokenizer& tokenizer) {
  SiteReport result;
  result.site = id;
  result.precision = PrecisionName(site.precision());
  result.scale = site.scale();
  result.initial_scale = site.initial_scale();
  result.clipped_share = site.clipped_share();
  result.signal_to_noise_db = site.signal_to_noise_db();
  result.gradient_share = site.gradient_share();
  result.absmax = site.absmax();
  result.absmax_without_first = site.absmax_without_first();
  result.octave_counts = {site.octave_counts().begin(), site.octave_counts().end()};
  for (const worker::v1::OutlierToken& outlier : site.outliers()) {
    result.outliers.push_back(
        {tokenizer.TokenText(outlier.token()), outlier.position(), outlier.magnitude()});
  }
  if (site.has_float_gain_nats()) result.float_gain_nats = site.float_gain_nats();
  return result;
}

void AddScores(const v1::ReportRow& row, ComparisonRow& result) {
  if (row.has_decode_perplexity()) result.decode_perplexity = row.decode_perplexity();
  if (row.has_kl_divergence()) result.kl_divergence = row.kl_divergence();
  if (row.has_top1_agreement()) result.top1_agreement = row.top1_agreement();
  for (const v1::TaskScore& task : row.tasks()) {
    result.tasks.push_back(
        {task.name(), task.question_count(), task.accuracy(), task.normalized_accuracy()});
  }
  if (!row.has_generation()) return;
  const v1::GenerationScore& generation = row.generation();
  result.generation = {generation.prompt_count(), generation.tokens_until_divergence(),
                       generation.agreement(), generation.repetition()};
}

}  // namespace

ComparisonRow MakeReportRow(const worker::v1::MeasuredRow& measured, const JobInputs& inputs) {
  const v1::ReportRow& row = measured.row();
  const v1::Recipe& recipe = measured.recipe();
  ComparisonRow result;
  result.name = row.name();
  result.method = MethodName(row.method());
  result.first_token = FirstTokenName(row.first_token());
  result.description = DescribeRecipe(recipe);
  result.activations = ActivationsName(recipe);
  result.activation_bits = recipe.activation_bits();
  result.weight_bits = recipe.weight_bits();
  result.servable = IsServable(recipe) && row.perplexity() > 0;
  result.text = MakeText("", row, measured.window_mean_losses());
  for (int i = 0; i < row.other_texts_size(); ++i) {
    result.other_texts.push_back(MakeText(row.other_texts(i).name(), row.other_texts(i),
                                          measured.other_texts(i).mean_losses()));
  }
  AddScores(row, result);
  result.kl_by_position = {measured.kl_by_position().begin(), measured.kl_by_position().end()};
  result.top1_by_position = {measured.top1_by_position().begin(),
                             measured.top1_by_position().end()};
  result.float_flop_share = row.float_flop_share();
  result.dynamic_flop_share = row.dynamic_flop_share();
  result.cost = MakeCost(row.cost());
  result.evaluation_seconds = row.evaluation_seconds();
  result.preparation_seconds = row.preparation_seconds();
  result.step_loss = {measured.step_losses().begin(), measured.step_losses().end()};
  for (int i = 0; i < measured.sites_size(); ++i) {
    result.sites.push_back(MakeSite(inputs.model->sites()[static_cast<size_t>(i)],
                                    measured.sites(i), *inputs.tokenizer));
  }
  if (recipe.has_training()) result.notes.push_back(DescribeTraining(recipe));
  result.notes.insert(result.notes.end(), measured.notes().begin(), measured.notes().end());
  result.failure = row.failure();
  return result;
}

}  // namespace sasq
