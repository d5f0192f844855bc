// The uploaded files that a spec names.
#ifndef SASQ_SERVER_SPEC_UPLOADS_H_
#define SASQ_SERVER_SPEC_UPLOADS_H_

#include <vector>

#include "sasq/v1/job_spec.pb.h"

namespace sasq {

// Every text of a spec that is set.
std::vector<const v1::TextSource*> TextsOf(const v1::JobSpec& spec);

// Of the model and of every text; they live as long as the spec.
std::vector<const v1::UploadedFile*> UploadsOf(const v1::JobSpec& spec);

}  // namespace sasq

#endif  // SASQ_SERVER_SPEC_UPLOADS_H_
