// The sources that a spec names, as far as the coordinator can see them.
#ifndef SASQ_SERVER_SPEC_SOURCES_H_
#define SASQ_SERVER_SPEC_SOURCES_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/rpc_status.h"
#include "quant/source/allowed_roots.h"
#include "sasq/v1/job_spec.pb.h"
#include "server/blob_keeper.h"

namespace sasq {

// Thread-safe.
class SpecSources {
 public:
  // Sees every local file, and no uploads.
  SpecSources() : SpecSources(AllowedRoots(), nullptr) {}
  // `blobs` outlives this; null: there are no uploads.
  SpecSources(AllowedRoots roots, BlobKeeper* blobs) : roots_(std::move(roots)), blobs_(blobs) {}

  // What of a completed spec lies outside of the allowed roots.
  std::vector<FieldViolation> Check(const v1::JobSpec& spec) const;

  // The model's config.json. NOT_FOUND where it cannot be read here: the worker may see it.
  absl::StatusOr<std::string> ReadConfig(const v1::ModelSource& model) const;

  // The length of a text's file in bytes; 0 where it cannot be seen here.
  int64_t TextBytes(const v1::TextSource& text) const;

 private:
  const AllowedRoots roots_;
  BlobKeeper* const blobs_;
};

}  // namespace sasq

#endif  // SASQ_SERVER_SPEC_SOURCES_H_
