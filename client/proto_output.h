// Messages of the API as JSON and YAML, for programs.
#ifndef SASQ_CLIENT_PROTO_OUTPUT_H_
#define SASQ_CLIENT_PROTO_OUTPUT_H_

#include <string>

#include "absl/strings/string_view.h"
#include "client/options.h"

namespace google::protobuf {
class Message;
}  // namespace google::protobuf

namespace sasq {

// Proto JSON (https://protobuf.dev/programming-guides/json) with snake_case names, full enum names
// and every field that is not a message, ended by a line feed.
std::string ToJson(const google::protobuf::Message& message);

// `json` in another form: kJson as it is, kYaml the same tree as YAML.
std::string FormatJson(const std::string& json, OutputFormat format);

}  // namespace sasq

#endif  // SASQ_CLIENT_PROTO_OUTPUT_H_
