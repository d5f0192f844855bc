#include "client/proto_output.h"

#include <google/protobuf/util/json_util.h>
#include <yaml-cpp/yaml.h>

#include "common/status_macros.h"

namespace sasq {
namespace {

// Only block style, and quotes around every string that was quoted in JSON: `"12"` stays text.
void Emit(const YAML::Node& node, YAML::Emitter& out) {
  switch (node.Type()) {
    case YAML::NodeType::Map:
      if (node.size() == 0) {
        out << YAML::Flow << YAML::BeginMap << YAML::EndMap;
        return;
      }
      out << YAML::BeginMap;
      for (const auto& entry : node) {
        out << YAML::Key << entry.first.Scalar() << YAML::Value;
        Emit(entry.second, out);
      }
      out << YAML::EndMap;
      return;
    case YAML::NodeType::Sequence:
      if (node.size() == 0) {
        out << YAML::Flow << YAML::BeginSeq << YAML::EndSeq;
        return;
      }
      out << YAML::BeginSeq;
      for (const YAML::Node& item : node) Emit(item, out);
      out << YAML::EndSeq;
      return;
    case YAML::NodeType::Scalar:
      if (node.Tag() == "!") out << YAML::DoubleQuoted;
      out << node.Scalar();
      return;
    default:
      out << YAML::Null;
  }
}

}  // namespace

std::string ToJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string json;
  SASQ_CHECK(google::protobuf::util::MessageToJsonString(message, &json, options).ok());
  if (json.empty() || json.back() != '\n') json += '\n';
  return json;
}

std::string FormatJson(const std::string& json, OutputFormat format) {
  if (format != OutputFormat::kYaml) return json;
  YAML::Emitter out;
  Emit(YAML::Load(json), out);
  return std::string(out.c_str()) + "\n";
}

}  // namespace sasq
