#include "client/spec_file.h"

#include <yaml-cpp/yaml.h>

#include <charconv>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/nearest_name.h"
#include "client/spec_fields.h"
#include "common/file.h"
#include "common/rpc_status.h"
#include "common/status_macros.h"

namespace sasq {
namespace {

using google::protobuf::FieldDescriptor;

constexpr int kMaxReportedProblems = 20;

// Fills a message from a YAML tree and collects what is wrong with it.
class SpecReader {
 public:
  explicit SpecReader(absl::string_view file_name) : file_name_(file_name) {}

  // `path`: of the message, empty at the top.
  void ReadMessage(const YAML::Node& node, const std::string& path,
                   google::protobuf::Message* message) {
    if (!node.IsMap()) {
      Report(node, path, "is not a mapping of field names to values");
      return;
    }
    std::set<std::string> seen;
    for (const auto& entry : node) {
      if (!entry.first.IsScalar()) {
        Report(entry.first, path, "has a key that is not a field name");
        continue;
      }
      const std::string& key = entry.first.Scalar();
      const std::string key_path = path.empty() ? key : absl::StrCat(path, ".", key);
      const auto* field = message->GetDescriptor()->FindFieldByName(key);
      if (field == nullptr) {
        Report(entry.first, key_path,
               "is not a known field" + DidYouMean(key, FieldNames(message->GetDescriptor())));
      } else if (!seen.insert(key).second) {
        Report(entry.first, key_path, "is given twice");
      } else {
        ReadField(entry.second, entry.first, key_path, field, message);
      }
    }
  }

  absl::Status Result() const { return FieldViolationsStatus(problems_, "INVALID_SPEC_FILE"); }

 private:
  void ReadField(const YAML::Node& node, const YAML::Node& key, const std::string& path,
                 const FieldDescriptor* field, google::protobuf::Message* message) {
    if (node.IsNull()) {
      Report(key, path, "has no value; give one or remove the line");
    } else if (field->is_repeated()) {
      ReadList(node, path, field, message);
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !IsDuration(*field)) {
      ReadMessage(node, path, message->GetReflection()->MutableMessage(message, field));
    } else if (!node.IsScalar()) {
      Report(node, path, "is a list or a mapping, want a single value");
    } else if (const absl::Status status = SetScalarField(message, field, node.Scalar());
               !status.ok()) {
      Report(node, path, std::string(status.message()));
    }
  }

  void ReadList(const YAML::Node& node, const std::string& path, const FieldDescriptor* field,
                google::protobuf::Message* message) {
    if (!node.IsSequence()) {
      Report(node, path, "is not a list");
      return;
    }
    for (size_t i = 0; i < node.size(); ++i) {
      const std::string entry_path = absl::StrFormat("%s[%d]", path, i);
      if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
        ReadMessage(node[i], entry_path, message->GetReflection()->AddMessage(message, field));
      } else if (node[i].IsNull()) {
        Report(node[i], entry_path, "has no value; give one or remove it");
      } else if (!node[i].IsScalar()) {
        Report(node[i], entry_path, "is a list or a mapping, want a single value");
      } else if (const absl::Status status = AddScalar(message, field, node[i].Scalar());
                 !status.ok()) {
        Report(node[i], entry_path, std::string(status.message()));
      }
    }
  }

  void Report(const YAML::Node& node, const std::string& path, const std::string& problem) {
    if (problems_.size() == kMaxReportedProblems) return;
    problems_.push_back({absl::StrFormat("%s:%d: %s", file_name_, node.Mark().line + 1,
                                         path.empty() ? "the spec" : path),
                         problem});
  }

  const std::string file_name_;
  std::vector<FieldViolation> problems_;
};

// JSON writes characters beyond U+FFFF as two \u escapes (RFC 8259, section 7), which YAML does not
// know: puts the characters in their place.
std::string JoinSurrogates(absl::string_view text) {
  const auto unit_at = [text](size_t i) -> uint32_t {
    if (i + 6 > text.size() || text[i] != '\\' || text[i + 1] != 'u') return 0;
    uint32_t unit = 0;
    const char* digits = text.data() + i + 2;
    return std::from_chars(digits, digits + 4, unit, 16).ptr == digits + 4 ? unit : 0;
  };
  std::string joined;
  for (size_t i = 0; i < text.size(); ++i) {
    const uint32_t high = unit_at(i), low = unit_at(i + 6);
    if ((high & 0xFC00) == 0xD800 && (low & 0xFC00) == 0xDC00) {
      const uint32_t c = 0x10000 + ((high & 0x3FF) << 10) + (low & 0x3FF);
      for (int shift = 18; shift >= 0; shift -= 6) {
        joined += static_cast<char>(shift == 18 ? 0xF0 | (c >> 18) : 0x80 | ((c >> shift) & 0x3F));
      }
      i += 11;
    } else {
      joined += text[i];
      if (text[i] == '\\' && i + 1 < text.size()) joined += text[++i];
    }
  }
  return joined;
}

absl::StatusOr<v1::JobSpec> ParseDocument(const std::string& text, absl::string_view file_name) {
  const std::vector<YAML::Node> documents = YAML::LoadAll(text);
  if (documents.size() != 1 || documents[0].IsNull()) {
    return absl::InvalidArgumentError(
        absl::StrCat(file_name, " holds ", documents.empty() ? "no" : "an empty or a second",
                     " document, want one job spec"));
  }
  v1::JobSpec spec;
  SpecReader reader(file_name);
  reader.ReadMessage(documents[0], "", &spec);
  SASQ_RETURN_IF_ERROR(reader.Result());
  return spec;
}

absl::StatusOr<std::string> ReadStandardInput() {
  std::string text;
  char buffer[4096];
  while (std::cin.read(buffer, sizeof(buffer)) || std::cin.gcount() > 0) {
    text.append(buffer, static_cast<size_t>(std::cin.gcount()));
    if (static_cast<int64_t>(text.size()) > kMaxSpecFileBytes) {
      return absl::InvalidArgumentError("standard input is longer than 1 MiB, want a job spec");
    }
  }
  return text;
}

}  // namespace

absl::StatusOr<v1::JobSpec> ParseSpec(absl::string_view text, absl::string_view file_name) {
  try {
    return ParseDocument(JoinSurrogates(text), file_name);
  } catch (const YAML::Exception& error) {
    return absl::InvalidArgumentError(absl::StrFormat("%s:%d: not valid YAML or JSON: %s",
                                                      file_name, error.mark.line + 1, error.msg));
  }
}

absl::StatusOr<v1::JobSpec> ReadSpecFile(const std::string& path) {
  std::error_code error;
  std::filesystem::path folder = std::filesystem::current_path(error);
  if (error) return absl::InvalidArgumentError("the working folder is gone; change to another");
  if (path == "-") {
    SASQ_ASSIGN_OR_RETURN(const std::string text, ReadStandardInput());
    SASQ_ASSIGN_OR_RETURN(v1::JobSpec spec, ParseSpec(text, "standard input"));
    ResolveUris(folder.string(), &spec);
    return spec;
  }
  absl::StatusOr<std::string> text = ReadFile(path, kMaxSpecFileBytes);
  if (!text.ok()) return absl::InvalidArgumentError(text.status().message());
  SASQ_ASSIGN_OR_RETURN(v1::JobSpec spec, ParseSpec(*text, path));
  ResolveUris((folder / path).parent_path().string(), &spec);
  return spec;
}

}  // namespace sasq
