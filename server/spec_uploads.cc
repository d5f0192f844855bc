#include "server/spec_uploads.h"

#include "absl/strings/str_cat.h"

namespace sasq {

std::vector<const v1::TextSource*> TextsOf(const v1::JobSpec& spec) {
  std::vector<const v1::TextSource*> texts = {&spec.training_text(), &spec.evaluation_text()};
  const v1::EvaluationOptions& evaluation = spec.evaluation();
  for (const v1::NamedText& named : evaluation.other_texts()) texts.push_back(&named.text());
  for (const v1::NamedText& named : evaluation.tasks()) texts.push_back(&named.text());
  if (evaluation.has_prompts()) texts.push_back(&evaluation.prompts());
  return texts;
}

std::vector<const v1::UploadedFile*> UploadsOf(const v1::JobSpec& spec) {
  std::vector<const v1::UploadedFile*> files;
  for (const v1::UploadedFile& file : spec.model().files()) files.push_back(&file);
  for (const v1::TextSource* text : TextsOf(spec)) {
    if (text->has_file()) files.push_back(&text->file());
  }
  return files;
}

std::optional<std::vector<ContentInput>> InputsByDigest(const v1::JobSpec& spec) {
  if (spec.model().files().empty()) return std::nullopt;
  std::vector<ContentInput> inputs;
  for (const v1::UploadedFile& file : spec.model().files()) {
    inputs.push_back({absl::StrCat("model/", file.path()), file.sha256()});
  }
  int position = 0;  // in the order of the spec, which the key holds as well
  for (const v1::TextSource* text : TextsOf(spec)) {
    if (!text->has_file()) return std::nullopt;
    inputs.push_back({absl::StrCat("text/", position++), text->file().sha256()});
  }
  return inputs;
}

}  // namespace sasq
