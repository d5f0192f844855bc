#include "quant/export/model_card.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "quant/artifact/report_format.h"
#include "quant/artifact/report_markup.h"

namespace sasq {
namespace {

using nlohmann::json;

json Parse(absl::string_view text) {
  return json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
}

// The value at `key` if it is there and a string, else empty.
std::string Text(const json& object, const char* key) {
  if (!object.is_object()) return "";
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

double Number(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number() ? found->get<double>() : std::nan("");
}

const json& At(const json& object, const char* key) {
  static const json kNothing;
  if (!object.is_object()) return kNothing;
  const auto found = object.find(key);
  return found != object.end() ? *found : kNothing;
}

// Text from outside, as code in Markdown.
std::string Quoted(absl::string_view text) { return MarkedMarkdown(Code(text)); }

std::string BaseName(absl::string_view uri) {
  while (absl::ConsumeSuffix(&uri, "/")) {
  }
  return std::string(uri.substr(uri.find_last_of("/:") + 1));
}

std::string SiteList(const std::set<SiteId>& sites) {
  return absl::StrJoin(sites, ", ", [](std::string* out, const SiteId& site) {
    absl::StrAppend(out, "`", SiteName(site), "`");
  });
}

std::string Method(const ScalePack& pack, const json& recipe) {
  std::string text = absl::StrCat(
      "Weights are int8, symmetric, one scale per output channel (absmax / 127, half to even). "
      "Activations are int8, symmetric, one static scale per tensor, which was ",
      pack.method == "sasq" ? "trained end to end (SASQ, arXiv 2512.14481)"
                            : absl::StrCat("chosen by the method ", Quoted(pack.method)),
      "; linears that engines fuse (q/k/v, gate/up) share theirs. Norms, embeddings, attention and "
      "`lm_head` are in floating point.\n");
  if (Text(recipe, "rotation") == "ROTATION_FOLDED") {
    absl::StrAppend(&text,
                    "\nRandomized Hadamard rotations of the residual stream and of the values are "
                    "folded into the weights, and the norms' gains into the linears behind them: "
                    "in exact arithmetic the model computes what the base model does. Tensors that "
                    "they change are kept in float32.\n");
  }
  if (!pack.smoothing_factors.empty()) {
    absl::StrAppend(&text,
                    "\nOutliers of activations are moved into the weights that read them "
                    "(SmoothQuant, arXiv 2211.10438): channel by channel, norms",
                    pack.smoothing_factors.contains({0, SiteKind::kDownIn}) ? " and `up_proj`" : "",
                    " are divided by factors, the linears behind them multiplied. In exact "
                    "arithmetic the model computes what the base model does. Tensors that this "
                    "changes are kept in float32.\n");
  }
  if (!pack.dynamic_sites.empty()) {
    absl::StrAppend(&text,
                    "\nThe linears of these sites have one scale per token, computed at run "
                    "time: ",
                    SiteList(pack.dynamic_sites), ".\n");
  }
  if (!pack.float_sites.empty()) {
    absl::StrAppend(&text, "\nThe linears of these sites stay in floating point: ",
                    SiteList(pack.float_sites), ".\n");
  }
  return text;
}

std::string Cell(const json& row, const char* key) {
  const double number = Number(row, key);
  return std::isnan(number) ? kNoFigure : FormatPerplexity(number);
}

std::string Numbers(const json& report) {
  const json& rows = At(report, "rows");
  if (!rows.is_array() || rows.empty()) {
    return "The job's report was not at hand when this folder was made.\n";
  }
  std::string text = absl::StrCat(
      "As the job measured them with its own INT8 kernels, on ", Quoted(Text(report, "dataset")),
      ". This folder is the row in bold.\n\n| row | perplexity | over float | tokens |\n"
      "|---|---|---|---|\n");
  for (const json& row : rows) {
    if (!row.is_object()) continue;
    const std::string name = Text(row, "name");
    const bool is_this = name == Text(report, "recipe");
    const double ratio = Number(row, "perplexity_ratio");
    const double tokens = Number(row, "tokens");
    absl::StrAppend(
        &text, "| ", is_this ? "**" : "", Quoted(name), is_this ? "**" : "", " | ",
        Cell(row, "perplexity"), " | ", std::isnan(ratio) ? kNoFigure : FormatIncrease(ratio - 1),
        " | ", std::isnan(tokens) ? kNoFigure : FormatCount(static_cast<int64_t>(tokens)), " |\n");
  }
  return text;
}

std::string Loading() {
  return "    from transformers import AutoModelForCausalLM\n"
         "    model = AutoModelForCausalLM.from_pretrained(FOLDER)  # needs compressed-tensors\n"
         "\n"
         "    vllm serve FOLDER\n"
         "\n"
         "vLLM computes with the static scales on GPUs of compute capability 7.5 to 9.0. SGLang "
         "reads them and quantizes per token instead. transformers rounds by them in floating "
         "point.\n";
}

std::string Provenance(const ScalePack& pack, const json& spec) {
  const std::string seed = Text(spec, "seed");  // 64 bits are text in proto JSON
  return absl::StrCat(
      "- base model: ", Quoted(BaseName(Text(At(spec, "model"), "uri"))),
      "\n- base weights: SHA-256 ", Quoted(pack.base_weight_sha256),
      " (of the files' names and digests)\n- made by: sasq ", Quoted(pack.code_version), ", row ",
      Quoted(Text(At(spec, "recipe"), "name")), ", seed ", Quoted(seed.empty() ? "0" : seed),
      "\n- trained on: ", Quoted(BaseName(Text(At(spec, "training_text"), "uri"))),
      ", measured on ", Quoted(BaseName(Text(At(spec, "evaluation_text"), "uri"))), "\n");
}

}  // namespace

bool IsReportOf(absl::string_view report_json, const ScalePack& pack) {
  const json report = Parse(report_json);
  const json& provenance = At(report, "provenance");
  if (!At(provenance, "spec").is_object() || At(provenance, "spec") != Parse(pack.spec_json)) {
    return false;
  }
  const json& inputs = At(provenance, "inputs");
  return inputs.is_array() && std::any_of(inputs.begin(), inputs.end(), [&pack](const json& input) {
           return Text(input, "role") == "model" &&
                  Text(input, "sha256") == pack.base_weight_sha256;
         });
}

std::string ModelCard(const ScalePack& pack, absl::string_view report_json) {
  const json spec = Parse(pack.spec_json);
  const std::string model = BaseName(Text(At(spec, "model"), "uri"));
  return absl::StrCat(
      "---\nlibrary_name: transformers\ntags:\n- sasq\n- int8\n- compressed-tensors\n---\n\n# ",
      Quoted(model), " in static INT8\n\n", Method(pack, At(spec, "recipe")), "\n## Numbers\n\n",
      Numbers(Parse(report_json)), "\n## How to load it\n\n", Loading(),
      "\n## Where it comes from\n\n", Provenance(pack, spec),
      "\nLicence and use are those of the base model.\n");
}

}  // namespace sasq
