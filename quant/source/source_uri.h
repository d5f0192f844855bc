// Where models and texts come from: the URIs of a spec, taken apart.
#ifndef SASQ_QUANT_SOURCE_SOURCE_URI_H_
#define SASQ_QUANT_SOURCE_SOURCE_URI_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sasq {

enum class SourceScheme { kFile, kHub, kS3, kUpload };

// What a URI names: a model is a folder, a text is a file.
enum class SourceKind { kModel, kText };

struct SourceUri {
  SourceScheme scheme = SourceScheme::kFile;
  // kFile: the absolute path. kHub: the file in the repository, empty for a model. kS3: the key, or
  // for a model the prefix, which ends with `/` or is empty. kUpload: the name.
  std::string path;
  std::string repository;         // kHub: ORG/NAME
  bool is_dataset = false;        // kHub: of a data set's repository
  std::string revision = "main";  // kHub: branch, tag or commit
  std::string bucket;             // kS3
};

// Takes apart, in the forms of ModelSource.uri and TextSource.uri (job_spec.proto):
//   file:/PATH   hf:ORG/NAME[@REVISION]   s3://BUCKET/PREFIX   upload:NAME         for a model,
//   file:/PATH   hf:[datasets/]ORG/NAME[@REVISION]/PATH   s3://BUCKET/KEY   upload:NAME  for a
//   text.
// A revision with `/` ends at the URI's end, so only a model can have one. No part of a path may be
// empty, `.` or `..`. INVALID_ARGUMENT says what is wrong, without the field's name: `is "x", want`
// and the known schemes.
absl::StatusOr<SourceUri> ParseSourceUri(absl::string_view uri, SourceKind kind);

// What people call the source: the last part of its path, or the repository.
std::string SourceName(absl::string_view uri);

// Whether `text` is a plain file name: 1..128 bytes of [A-Za-z0-9._-], neither `.` nor `..`.
bool IsPlainName(absl::string_view text);

}  // namespace sasq

#endif  // SASQ_QUANT_SOURCE_SOURCE_URI_H_
