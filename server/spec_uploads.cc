#include "server/spec_uploads.h"

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

}  // namespace sasq
