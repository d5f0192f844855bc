#include "client/spec_uploads.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "client/spec_fields.h"
#include "common/file.h"
#include "common/sha256.h"
#include "common/status_macros.h"
#include "quant/source/model_files.h"
#include "quant/source/source_uri.h"

namespace sasq {
namespace {

constexpr absl::string_view kScheme = "upload:";
constexpr size_t kMaxNameBytes = 128;

// The local path of what is to be uploaded; empty for what is not.
std::string PathToUpload(absl::string_view uri, bool is_uploaded) {
  if (is_uploaded || !absl::ConsumePrefix(&uri, kScheme) || !absl::StartsWith(uri, "/")) return "";
  return std::string(uri);
}

// The last part of a path as the service takes it: other characters become `_`.
std::string PlainNameOf(const std::string& path) {
  std::string name = std::filesystem::path(path).filename().string().substr(0, kMaxNameBytes);
  for (char& c : name) {
    if (!absl::ascii_isalnum(c) && c != '.' && c != '_' && c != '-') c = '_';
  }
  return IsPlainName(name) ? name : "upload";
}

absl::Status AtField(absl::string_view field, const absl::Status& status) {
  return absl::InvalidArgumentError(absl::StrCat(field, ": ", status.message()));
}

absl::StatusOr<UploadFile> DescribeFile(const std::string& path,
                                        absl::FunctionRef<void(const std::string&)> on_file) {
  on_file(path);
  UploadFile file;
  file.local_path = path;
  file.content.set_path(PlainNameOf(path));
  std::error_code error;
  if (std::filesystem::file_size(path, error) == 0 && !error) {  // an empty file cannot be mapped
    file.content.set_sha256(Sha256Hex(""));
    return file;
  }
  SASQ_ASSIGN_OR_RETURN(const auto mapped, MappedFile::Open(path));
  file.content.set_sha256(Sha256Hex(mapped->bytes()));
  file.content.set_size_bytes(static_cast<int64_t>(mapped->bytes().size()));
  return file;
}

absl::StatusOr<std::vector<std::string>> ModelFileNames(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  std::filesystem::directory_iterator entry(folder, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    names.push_back(entry->path().filename().string());
  }
  if (error) return SystemError(error.value(), "read folder", folder);
  return ChooseModelFiles(names, [&folder](const std::string& name) {
    return ReadFile(absl::StrCat(folder, "/", name), kMaxShardIndexBytes);
  });
}

// Collects the files of the sources of one spec.
class Namer {
 public:
  Namer(std::vector<UploadFile>& files, absl::FunctionRef<void(const std::string&)> on_file)
      : files_(files), on_file_(on_file) {}

  absl::Status NameModel(v1::ModelSource& model) {
    const std::string folder = PathToUpload(model.uri(), model.files_size() > 0);
    if (folder.empty()) return absl::OkStatus();
    const absl::StatusOr<std::vector<std::string>> names = ModelFileNames(folder);
    if (!names.ok()) return AtField(absl::StrCat("model ", folder), names.status());
    for (const std::string& name : *names) {
      absl::StatusOr<UploadFile> file = DescribeFile(absl::StrCat(folder, "/", name), on_file_);
      if (!file.ok()) return AtField("model", file.status());
      *model.add_files() = file->content;
      files_.push_back(*std::move(file));
    }
    model.set_uri(absl::StrCat(kScheme, PlainNameOf(folder)));
    return absl::OkStatus();
  }

  absl::Status NameText(absl::string_view field, v1::TextSource& text) {
    const std::string path = PathToUpload(text.uri(), text.has_file());
    if (path.empty()) return absl::OkStatus();
    absl::StatusOr<UploadFile> file = DescribeFile(path, on_file_);
    if (!file.ok()) return AtField(field, file.status());
    *text.mutable_file() = file->content;
    text.set_uri(absl::StrCat(kScheme, file->content.path()));
    files_.push_back(*std::move(file));
    return absl::OkStatus();
  }

 private:
  std::vector<UploadFile>& files_;
  absl::FunctionRef<void(const std::string&)> on_file_;
};

}  // namespace

void MarkForUpload(v1::JobSpec* spec) {
  ForEachUri(spec, [](std::string* uri, bool) {
    absl::string_view path = *uri;
    if (absl::ConsumePrefix(&path, "file:")) *uri = absl::StrCat(kScheme, path);
  });
}

absl::StatusOr<std::vector<UploadFile>> NameUploads(
    v1::JobSpec* spec, absl::FunctionRef<void(const std::string& path)> on_file) {
  std::vector<UploadFile> files;
  Namer namer(files, on_file);
  if (spec->has_model()) SASQ_RETURN_IF_ERROR(namer.NameModel(*spec->mutable_model()));
  if (spec->has_training_text()) {
    SASQ_RETURN_IF_ERROR(namer.NameText("training_text", *spec->mutable_training_text()));
  }
  if (spec->has_evaluation_text()) {
    SASQ_RETURN_IF_ERROR(namer.NameText("evaluation_text", *spec->mutable_evaluation_text()));
  }
  if (!spec->has_evaluation()) return files;
  v1::EvaluationOptions& evaluation = *spec->mutable_evaluation();
  for (auto* list : {evaluation.mutable_other_texts(), evaluation.mutable_tasks()}) {
    for (v1::NamedText& named : *list) {
      SASQ_RETURN_IF_ERROR(namer.NameText(named.name(), *named.mutable_text()));
    }
  }
  if (evaluation.has_prompts()) {
    SASQ_RETURN_IF_ERROR(namer.NameText("prompts", *evaluation.mutable_prompts()));
  }
  return files;
}

}  // namespace sasq
