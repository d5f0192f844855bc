// The uploaded files that a spec names.
#ifndef SASQ_SERVER_SPEC_UPLOADS_H_
#define SASQ_SERVER_SPEC_UPLOADS_H_

#include <optional>
#include <vector>

#include "quant/reuse/content_key.h"
#include "sasq/v1/job_spec.pb.h"

namespace sasq {

// Every text of a spec that is set.
std::vector<const v1::TextSource*> TextsOf(const v1::JobSpec& spec);

// Of the model and of every text; they live as long as the spec.
std::vector<const v1::UploadedFile*> UploadsOf(const v1::JobSpec& spec);

// What the job reads, where the spec names all of it by digest; nullopt otherwise.
std::optional<std::vector<ContentInput>> InputsByDigest(const v1::JobSpec& spec);

}  // namespace sasq

#endif  // SASQ_SERVER_SPEC_UPLOADS_H_
