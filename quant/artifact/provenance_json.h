// Provenance as JSON, for the writers of this folder.
#ifndef SASQ_QUANT_ARTIFACT_PROVENANCE_JSON_H_
#define SASQ_QUANT_ARTIFACT_PROVENANCE_JSON_H_

#include <nlohmann/json.hpp>

#include "quant/artifact/provenance.h"

namespace sasq {

// The form that manifest.h documents. A spec that is not a JSON object is null.
nlohmann::ordered_json ProvenanceToJson(const Provenance& provenance);

// Indented text with a newline at the end, arrays of plain values on one line; bytes that are not
// UTF-8 become U+FFFD.
std::string JsonText(const nlohmann::ordered_json& json);

}  // namespace sasq

#endif  // SASQ_QUANT_ARTIFACT_PROVENANCE_JSON_H_
