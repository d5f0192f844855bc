#include "tests/quant/artifact/sample.h"

#include <cmath>
#include <limits>

namespace sasq {
namespace {

// A decaying loss with a repeatable wobble.
std::vector<double> SampleLosses(int step_count) {
  std::vector<double> losses;
  for (int step = 0; step < step_count; ++step) {
    losses.push_back(3.05 + 0.5 * std::exp(-step / 12.0) + 0.25 * std::sin(step * 2.4));
  }
  return losses;
}

std::vector<SiteTraining> SampleSites(int layer_count) {
  std::vector<SiteTraining> sites;
  for (const SiteId& site : AllSites(layer_count)) {
    const float initial = 0.02f * (1 + site.layer);
    float ratio = static_cast<float>(std::exp(0.4 * std::sin(1.7 * SiteIndex(site)) - 0.1));
    if (site.kind == SiteKind::kDownIn && site.layer % 11 == 0) ratio *= 0.06f;
    sites.push_back({site, initial, initial * ratio});
  }
  return sites;
}

ComparisonRow Row(std::string method, std::string first_token, double perplexity,
                  double preparation_seconds) {
  ComparisonRow row;
  row.method = std::move(method);
  row.token_count = first_token == "float" ? 8184 : 8188;
  row.first_token = std::move(first_token);
  row.perplexity = perplexity;
  row.window_count = 4;
  row.evaluation_seconds = 23.4;
  row.preparation_seconds = preparation_seconds;
  row.window_mean_loss.assign(4, std::log(perplexity));
  return row;
}

}  // namespace

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

Report SampleReport() {
  Report report;
  report.model = "Sample-135M <made up>";
  report.dataset = "sample.test.raw & friends";
  report.method = "sasq";
  report.first_token = "quantized";
  report.rows = {Row("fp", "quantized", 17.2, 0),
                 Row("rtn_dynamic", "quantized", 17.9, 0),
                 Row("static_absmax", "quantized", std::numeric_limits<double>::infinity(), 9.1),
                 Row("static_mse", "quantized", 24.9, 12.4),
                 Row("sasq", "quantized", 20.8, 131.0),
                 Row("fp", "float", 17.1, 0),
                 Row("static_mse", "float", 19.3, 12.0),
                 Row("sasq", "float", 18.1, 210.0)};
  report.trainings = {{"sasq", "quantized", SampleLosses(60), SampleSites(30)},
                      {"sasq", "float", SampleLosses(1000), SampleSites(30)}};
  report.cost.wall_seconds = 612;
  report.cost.cpu_seconds = 1180;
  report.cost.flop_count = 3.1e13;
  report.cost.peak_memory_bytes = int64_t{1900} << 20;
  report.samples = {32, 16384, 60, 15360, 4, 8192};
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

}  // namespace sasq
