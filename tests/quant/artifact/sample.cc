#include "tests/quant/artifact/sample.h"

#include <cmath>
#include <limits>
#include <utility>

#include "quant/artifact/confidence.h"

namespace sasq {
namespace {

constexpr int kWindowCount = 12;
constexpr int kWindowTokens = 2048;

// A repeatable number of -1..1 that looks random.
double Wobble(int seed, int index) {
  const double value = std::sin(12.9898 * (seed + 1) + 78.233 * (index + 1)) * 43758.5453;
  return 2 * (value - std::floor(value)) - 1;
}

int SeedOf(const std::string& name) {
  int seed = 0;
  for (char c : name) seed = (seed * 31 + c) % 10'007;
  return seed;
}

// The float model's perplexity is `base`; the row's is about `ratio` times that.
TextResult SampleText(const std::string& text_name, int row_seed, double base, double ratio,
                      double noise, int window_count, int scored_tokens) {
  TextResult text;
  text.name = text_name;
  double sum = 0;
  for (int window = 0; window < window_count; ++window) {
    const double loss = std::log(base) + 0.2 * Wobble(SeedOf(text_name), window) + std::log(ratio) +
                        noise * Wobble(row_seed + SeedOf(text_name), window);
    text.window_mean_loss.push_back(loss);
    sum += loss;
  }
  text.perplexity = std::exp(sum / window_count);
  text.token_count = int64_t{scored_tokens} * window_count;
  return text;
}

// A decaying loss with a repeatable wobble.
std::vector<double> SampleLosses(int step_count) {
  std::vector<double> losses;
  for (int step = 0; step < step_count; ++step) {
    losses.push_back(3.05 + 0.5 * std::exp(-step / 12.0) + 0.25 * Wobble(7, step));
  }
  return losses;
}

// Magnitudes as of a normal distribution, and a few large ones.
std::vector<int64_t> SampleOctaves(double sigma, double largest) {
  std::vector<int64_t> counts(26, 0);
  double below = 0;
  for (int i = 0; i < 26; ++i) {
    const double share = i == 25 ? 1 : std::erf(std::exp2(i - 12) / sigma / std::sqrt(2.0));
    counts[i] = static_cast<int64_t>(9.4e6 * (share - below));
    below = share;
  }
  const int octave = static_cast<int>(std::floor(std::log2(largest))) + 13;
  if (octave >= 0 && octave < 26) counts[octave] += 34;
  return counts;
}

bool IsMassive(const SiteId& site) {
  return site.kind == SiteKind::kDownIn && site.layer % 11 == 0;
}

SiteReport SampleSite(const SiteId& site) {
  SiteReport report;
  const int index = SiteIndex(site);
  const bool massive = IsMassive(site);
  report.site = site;
  report.precision = "static";
  report.initial_scale = static_cast<float>(0.02 * (1 + 0.1 * site.layer) * (massive ? 20 : 1));
  double ratio = std::exp(0.4 * Wobble(3, index) - 0.1);
  if (massive) ratio = 0.05 + 0.01 * site.layer;
  report.scale = static_cast<float>(report.initial_scale * ratio);
  report.clipped_share = massive ? 0.0011 : 0.00002 * (2 + Wobble(5, index));
  report.signal_to_noise_db = massive ? 12.4 : 31 + 4 * Wobble(6, index);
  report.gradient_share = massive ? 0.24 : 0.28 / 118;
  report.absmax_without_first = static_cast<float>(report.initial_scale * (massive ? 6 : 90));
  report.absmax = massive ? 2844.0f - site.layer : report.absmax_without_first * 1.2f;
  report.octave_counts = SampleOctaves(report.initial_scale * (massive ? 2 : 20), report.absmax);
  report.outliers = {{"\u0120The", 0, report.absmax},
                     {"<|im_start|>", 0, report.absmax * 0.9f},
                     {"\u010a", 17, report.absmax_without_first}};
  return report;
}

void AddBehaviour(double ratio, ComparisonRow& row) {
  const double excess = std::abs(std::log(ratio)) + 0.004;
  row.decode_perplexity = row.text.perplexity * 0.97;
  row.kl_divergence = excess * 1.3;
  row.top1_agreement = std::exp(-1.6 * excess);
  for (int part = 0; part < 16; ++part) {
    row.kl_by_position.push_back(excess * (1.1 + 0.5 * std::exp(-part / 3.0)));
    row.top1_by_position.push_back(std::exp(-1.6 * excess * (1 + 0.3 * std::exp(-part / 3.0))));
  }
  row.tasks = {{"facts", 60, 0.55 * std::exp(-excess / 2), 0.58 * std::exp(-excess / 2)},
               {"cloze", 48, 0.41 * std::exp(-excess / 2), 0.41 * std::exp(-excess / 2)}};
  row.generation = GenerationResult{12, 32 * std::exp(-9 * excess), std::exp(-4 * excess), 0.08};
}

ComparisonRow& Add(std::vector<ComparisonRow>& rows, ComparisonRow row, std::string activations,
                   bool servable) {
  row.activations = std::move(activations);
  row.servable = servable;
  return rows.emplace_back(std::move(row));
}

void AddQuantizedRows(std::vector<ComparisonRow>& rows) {
  Add(rows, SampleRow("fp", "fp", "quantized", 1, 0), "float", false);
  TrainSampleRow(30, 60,
                 Add(rows, SampleRow("fp_clipped", "fp_clipped", "quantized", 0.981, 0.004, -0.5),
                     "float", false));
  for (SiteReport& site : rows.back().sites) site.precision = "clipped";
  Add(rows, SampleRow("rtn_dynamic", "rtn_dynamic", "quantized", 1.029, 0.012), "dynamic", true);
  Add(rows, SampleRow("static_absmax", "static_absmax", "quantized", 1.7, 0.1), "static", true);
  Add(rows, SampleRow("static_percentile", "static_percentile", "quantized", 4.31, 0.2), "static",
      true);
  Add(rows, SampleRow("static_mse", "static_mse", "quantized", 1.427, 0.08), "static", true);
  Add(rows, SampleRow("smoothquant", "smoothquant", "quantized", 1.215, 0.05), "static", true)
      .notes = {"alpha 0.6 for qkv_in, 0.7 for gate_up_in"};
  Add(rows, SampleRow("quarot", "quarot", "quantized", 1.0031, 0.006), "dynamic", false);
  ComparisonRow& spinquant =
      Add(rows, SampleRow("spinquant", "spinquant", "quantized", 1, 0), "dynamic", false);
  ComparisonRow unmeasured;
  unmeasured.name = spinquant.name;
  unmeasured.method = spinquant.method;
  unmeasured.first_token = spinquant.first_token;
  unmeasured.activations = spinquant.activations;
  spinquant = unmeasured;
  spinquant.failure = "the model has no RMSNorm to fold a rotation into";
  ComparisonRow& llm_qat =
      Add(rows, SampleRow("llm_qat", "llm_qat", "quantized", 1.024, 0.012), "dynamic", true);
  llm_qat.step_loss = SampleLosses(30);
  llm_qat.cost.training_token_count = 7680;
  llm_qat.cost.training_cpu_seconds = 121;
  llm_qat.cost.training_flop_count = 7680 * 6 * 1.06e8;
  llm_qat.cost.trained_bytes = int64_t{425} << 20;
  ComparisonRow& collapsed =
      Add(rows, SampleRow("static_w4a4", "static_mse", "quantized", 9), "static", false);
  collapsed.activation_bits = collapsed.weight_bits = 4;
  collapsed.text.perplexity = std::numeric_limits<double>::infinity();
  collapsed.text.interval.reset();
  collapsed.text.window_mean_loss[3] = std::numeric_limits<double>::infinity();
  TrainSampleRow(
      30, 60, Add(rows, SampleRow("sasq", "sasq", "quantized", 1.205, 0.06, 1.5), "static", true));
  ComparisonRow& diverged =
      Add(rows, SampleRow("sasq-lr10", "sasq", "quantized", 1.31, 0.03), "static", true);
  diverged.failure = "training diverged at step 9: loss is not finite; these are step 8's scales";
  TrainSampleRow(30, 8, diverged);
  ComparisonRow& serve =
      Add(rows, SampleRow("sasq-serve", "sasq", "quantized", 1.0185, 0.015), "static", true);
  serve.description = "folded rotation, 3.3% of the arithmetic in float";
  serve.float_flop_share = 0.033;
  serve.dynamic_flop_share = 0.05;
  TrainSampleRow(30, 100, serve);
  for (SiteReport& site : serve.sites) {
    if (!IsMassive(site.site)) continue;
    site.precision = "float";
    site.scale = site.initial_scale = 0;
    site.gradient_share = 0;
    site.float_gain_nats = 0.11;
  }
}

}  // namespace

ComparisonRow SampleRow(std::string name, std::string method, std::string first_token, double ratio,
                        double noise, double elsewhere) {
  struct OtherText {
    const char* name;
    double float_perplexity;
  };
  constexpr OtherText kOtherTexts[] = {{"c4", 21.4}, {"code", 6.52}, {"technical", 8.78}};
  ComparisonRow row;
  const int seed = SeedOf(name);
  const int scored = first_token == "quantized" ? kWindowTokens - 1 : kWindowTokens - 2;
  const double base = first_token == "quantized" ? 17.224 : 17.155;
  row.text = SampleText("", seed, base, ratio, noise, kWindowCount, scored);
  row.text.interval = PerplexityInterval(row.text.window_mean_loss);
  for (const OtherText& other : kOtherTexts) {
    row.other_texts.push_back(SampleText(other.name, seed, other.float_perplexity,
                                         std::pow(ratio, elsewhere), noise, kWindowCount / 2,
                                         scored));
  }
  row.name = std::move(name);
  row.method = std::move(method);
  row.first_token = std::move(first_token);
  row.activations = "static";
  row.evaluation_seconds = 93.4;
  row.cost.wall_seconds = 93.4;
  row.cost.cpu_seconds = 171;
  row.cost.flop_count = 9.1e12;
  row.cost.peak_memory_bytes = int64_t{1210} << 20;
  AddBehaviour(ratio, row);
  return row;
}

void TrainSampleRow(int layer_count, int step_count, ComparisonRow& row) {
  row.step_loss = SampleLosses(step_count);
  for (const SiteId& site : AllSites(layer_count)) row.sites.push_back(SampleSite(site));
  row.preparation_seconds = 1.1 * step_count;
  row.cost.wall_seconds += row.preparation_seconds;
  row.cost.training_token_count = 256 * step_count;
  row.cost.training_cpu_seconds = 2.1 * step_count;
  row.cost.training_flop_count = 256.0 * step_count * 4 * 1.06e8;
  row.cost.flop_count += row.cost.training_flop_count;
  row.cost.trained_bytes = 4 * layer_count * 4;
}

ScalePack SamplePack(int layer_count) {
  ScalePack pack;
  pack.method = "sasq";
  pack.first_token = "quantized";
  pack.base_weight_sha256 = std::string(64, 'a');
  pack.layer_count = layer_count;
  for (const SiteId& site : AllSites(layer_count)) {
    pack.prefill_scales[site] = (SiteIndex(site) + 1) / 8.0f;
  }
  pack.spec_json = R"({"recipe": {"method": "METHOD_SASQ"}, "model": {"uri": "file:/m/\u00fc"}})";
  pack.code_version = "0.1.0";
  return pack;
}

Report SampleComparison() {
  Report report;
  report.kind = "compare";
  report.model = "Sample-135M <made up>";
  report.dataset = "sample.test.raw & friends";
  std::vector<ComparisonRow>& rows = report.rows;
  AddQuantizedRows(rows);
  Add(rows, SampleRow("fp.float", "fp", "float", 1, 0), "float", false);
  TrainSampleRow(30, 100,
                 Add(rows, SampleRow("sasq-max", "sasq", "float", 1.0006, 0.006), "static", false));
  rows.back().description = "rotation, online Hadamard transform";
  Add(rows, SampleRow("fp.prefix", "fp", "prefix", 1, 0), "float", false);
  Add(rows, SampleRow("static_mse.prefix", "static_mse", "prefix", 1.128, 0.03), "static", false);
  TrainSampleRow(
      30, 100, Add(rows, SampleRow("sasq.prefix", "sasq", "prefix", 1.064, 0.02), "static", false));
  report.cost.wall_seconds = 2612;
  report.cost.cpu_seconds = 4980;
  report.cost.flop_count = 3.1e14;
  report.cost.peak_memory_bytes = int64_t{1900} << 20;
  report.samples = {32, 16384, 418, 107008, 40, 81920};
  report.provenance.code_version = "0.1.0";
  report.provenance.device_kind = "cpu";
  report.provenance.device_name = "Sample(R) Processor @ 2.50GHz";
  report.provenance.kernel_path = "avx512_vnni";
  report.provenance.thread_count = 2;
  report.provenance.inputs = {
      {"model", "file:/models/sample-135m", std::string(64, 'a')},
      {"training_text", "file:/texts/sample.valid.raw", std::string(64, 'b')},
      {"evaluation_text", "file:/texts/sample.test.raw", std::string(64, 'c')}};
  report.provenance.spec_json =
      R"({"displayName": "<script>alert(1)</script>", "model": {"uri": "file:/models/sample-135m"},
          "recipe": {"method": "METHOD_SASQ", "training": {"stepCount": 60, "learningRate": 0.06}}})";
  return report;
}

Report SampleReport() {
  Report report = SampleComparison();
  report.kind = "quantize";
  report.recipe = "sasq";
  return report;
}

std::vector<NamedFile> SampleArtifact() {
  const ScalePack pack = SamplePack(3);
  Report report = SampleReport();
  report.provenance.spec_json = pack.spec_json;
  return AssembleArtifact(pack, report).value();
}

}  // namespace sasq
