#include "server/spec_sources.h"

#include <sys/stat.h>

#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/file.h"
#include "common/status_macros.h"
#include "server/spec_uploads.h"

namespace sasq {
namespace {

constexpr int64_t kMaxConfigBytes = 1 << 20;
constexpr char kConfigName[] = "config.json";

// The path of a `file:` URI; false for others.
bool LocalPath(absl::string_view uri, std::string& path) {
  if (!absl::ConsumePrefix(&uri, "file:")) return false;
  path = std::string(uri);
  return true;
}

}  // namespace

std::vector<FieldViolation> SpecSources::Check(const v1::JobSpec& spec) const {
  std::vector<FieldViolation> violations;
  const auto check = [&](const std::string& field, const std::string& uri) {
    std::string path;
    if (!LocalPath(uri, path)) return;
    const absl::StatusOr<std::string> resolved = roots_.Resolve(path);
    if (absl::IsPermissionDenied(resolved.status())) {
      violations.push_back({field + ".uri", std::string(resolved.status().message())});
    }
  };
  check("spec.model", spec.model().uri());
  check("spec.training_text", spec.training_text().uri());
  check("spec.evaluation_text", spec.evaluation_text().uri());
  const v1::EvaluationOptions& evaluation = spec.evaluation();
  for (int i = 0; i < evaluation.other_texts_size(); ++i) {
    check(absl::StrCat("spec.evaluation.other_texts[", i, "].text"),
          evaluation.other_texts(i).text().uri());
  }
  for (int i = 0; i < evaluation.tasks_size(); ++i) {
    check(absl::StrCat("spec.evaluation.tasks[", i, "].text"), evaluation.tasks(i).text().uri());
  }
  if (evaluation.has_prompts()) check("spec.evaluation.prompts", evaluation.prompts().uri());
  return violations;
}

absl::StatusOr<std::string> SpecSources::ReadConfig(const v1::ModelSource& model) const {
  std::string path;
  if (LocalPath(model.uri(), path)) {
    SASQ_ASSIGN_OR_RETURN(path, roots_.Resolve(absl::StrCat(path, "/", kConfigName)));
    return ReadFile(path, kMaxConfigBytes);
  }
  for (const v1::UploadedFile& file : model.files()) {
    if (blobs_ == nullptr) break;
    if (file.path() != kConfigName || file.size_bytes() > kMaxConfigBytes) continue;
    SASQ_ASSIGN_OR_RETURN(const std::unique_ptr<const BlobReader> blob,
                          blobs_->Open(file.sha256()));
    return blob->Read(0, kMaxConfigBytes);
  }
  return absl::NotFoundError("the coordinator does not see the model");
}

int64_t SpecSources::TextBytes(const v1::TextSource& text) const {
  if (text.has_file()) return text.file().size_bytes();
  std::string path;
  if (!LocalPath(text.uri(), path)) return 0;
  const absl::StatusOr<std::string> resolved = roots_.Resolve(path);
  struct stat info;
  if (!resolved.ok() || ::stat(resolved->c_str(), &info) != 0) return 0;
  return info.st_size;
}

}  // namespace sasq
