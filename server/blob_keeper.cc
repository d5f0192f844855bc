#include "server/blob_keeper.h"

#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/log.h"
#include "common/rpc_status.h"
#include "common/sha256.h"
#include "common/status_macros.h"
#include "server/spec_uploads.h"

namespace sasq {
namespace {

// A removal takes as long as the deletion of one object.
constexpr absl::Duration kRemovalPoll = absl::Milliseconds(50);
constexpr int kMaxRemovalPolls = 200;

}  // namespace

absl::Status BlobKeeper::WaitForRemovals(absl::FunctionRef<absl::Status()> hold) {
  for (int poll = 0;; ++poll) {
    absl::Status status = hold();
    if (ReasonOf(status) != "BLOB_IN_REMOVAL" || poll == kMaxRemovalPolls) return status;
    EndLateRemovals();
    if (poll == 0) continue;
    MutexLock lock(&mutex_);
    removed_.WaitFor(&mutex_, kRemovalPoll);
  }
}

absl::Status BlobKeeper::Put(const std::vector<const dispatch::v1::ArtifactFile*>& files,
                             Held& held) {
  std::vector<std::string> digests;
  for (const dispatch::v1::ArtifactFile* file : files) {
    v1::Blob& blob = held.blobs.emplace_back();
    blob.set_file_name(file->file_name());
    blob.set_sha256(Sha256Hex(file->content()));
    blob.set_size_bytes(static_cast<int64_t>(file->content().size()));
    digests.push_back(blob.sha256());
  }
  SASQ_RETURN_IF_ERROR(WaitForRemovals(
      [&] { return jobs_.HoldBlobs(held.holder, digests, options_.clock->Now()); }));
  for (const dispatch::v1::ArtifactFile* file : files) {
    const Stopwatch stopwatch;
    const absl::Status status = blobs_.Put(file->content()).status();
    metrics_.StoreOperation("put_blob", absl::Seconds(stopwatch.Seconds()), status);
    SASQ_RETURN_IF_ERROR(status);
    metrics_.BlobBytes("publish", file->content().size());
  }
  metrics_.SetBlobBytes(blobs_.size_bytes());
  return absl::OkStatus();
}

void BlobKeeper::Release(const Held& held) {
  if (held.blobs.empty()) return;
  const absl::Status released = jobs_.ReleaseBlobs(held.holder);
  if (!released.ok()) LogWarning("blobs_not_released", {{"error", released}});
  std::vector<std::string> digests;
  for (const v1::Blob& blob : held.blobs) digests.push_back(blob.sha256());
  RemoveUnreferenced(digests);
}

absl::StatusOr<bool> BlobKeeper::IsFor(const Principal& who, const std::string& digest) {
  if (who.sees_all_tenants()) return true;
  return jobs_.IsBlobOf(who.tenant, digest);
}

absl::Status BlobKeeper::HoldUploads(const Principal& who, const v1::JobSpec& spec, Held& held) {
  std::vector<std::string> digests;
  for (const v1::UploadedFile* file : UploadsOf(spec)) {
    held.blobs.emplace_back().set_sha256(file->sha256());
    digests.push_back(file->sha256());
  }
  SASQ_RETURN_IF_ERROR(WaitForRemovals(
      [&] { return jobs_.HoldBlobs(held.holder, digests, options_.clock->Now()); }));
  for (const v1::UploadedFile* file : UploadsOf(spec)) {
    SASQ_ASSIGN_OR_RETURN(const std::optional<int64_t> size_bytes, blobs_.SizeOf(file->sha256()));
    SASQ_ASSIGN_OR_RETURN(const bool is_theirs, IsFor(who, file->sha256()));
    if (!size_bytes.has_value() || !is_theirs) {
      return WithReason(absl::FailedPreconditionError(
                            absl::StrCat("the file ", file->path(), " (", file->sha256(),
                                         ") is not there; upload it, then submit again")),
                        "BLOB_MISSING");
    }
    if (*size_bytes != file->size_bytes()) {
      return FieldViolationsStatus(
          {{"spec", absl::StrCat("says that ", file->path(), " has ", file->size_bytes(),
                                 " bytes, but it has ", *size_bytes)}},
          "INVALID_SPEC");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<v1::MissingBlob>> BlobKeeper::FindMissing(
    const Principal& who, const std::vector<std::string>& digests, absl::Time now) {
  std::vector<std::string> present;
  for (const std::string& digest : digests) {
    SASQ_ASSIGN_OR_RETURN(const bool is_theirs, IsFor(who, digest));
    if (!is_theirs) continue;
    SASQ_ASSIGN_OR_RETURN(const std::optional<int64_t> size_bytes, blobs_.SizeOf(digest));
    if (size_bytes.has_value()) present.push_back(digest);
  }
  SASQ_RETURN_IF_ERROR(
      WaitForRemovals([&] { return jobs_.NoteUploads(who.tenant, present, now); }));
  const std::set<std::string> noted(present.begin(), present.end());
  // What is still there now stays: a removal that began before was waited for.
  std::vector<v1::MissingBlob> missing;
  for (const std::string& digest : digests) {
    SASQ_ASSIGN_OR_RETURN(const std::optional<int64_t> size_bytes, blobs_.SizeOf(digest));
    if (noted.count(digest) > 0 && size_bytes.has_value()) continue;
    v1::MissingBlob& blob = missing.emplace_back();
    blob.set_sha256(digest);
    blob.set_received_bytes(blobs_.UploadedBytes(digest));
  }
  return missing;
}

absl::StatusOr<std::unique_ptr<BlobUpload>> BlobKeeper::BeginUpload(const Principal& who,
                                                                    const std::string& sha256,
                                                                    int64_t size_bytes,
                                                                    absl::Time now) {
  SASQ_ASSIGN_OR_RETURN(const std::vector<v1::MissingBlob> missing,
                        FindMissing(who, {sha256}, now));
  if (missing.empty()) return nullptr;
  const int64_t needed = size_bytes - missing.front().received_bytes();
  if (blobs_.size_bytes() + needed > options_.max_blob_bytes) {
    return WithReason(
        absl::ResourceExhaustedError(absl::StrCat(
            "the service keeps ", blobs_.size_bytes(), " bytes and may keep ",
            options_.max_blob_bytes, ", ", needed,
            " more do not fit; delete jobs, or ask its operator for a larger --max_blob_bytes")),
        "STORAGE_FULL");
  }
  return blobs_.BeginUpload(sha256, size_bytes);
}

absl::Status BlobKeeper::FinishUpload(const Principal& who, const std::string& sha256,
                                      BlobUpload& upload, absl::Time now) {
  Held held;
  held.blobs.emplace_back().set_sha256(sha256);
  absl::Status status = WaitForRemovals(
      [&] { return jobs_.HoldBlobs(held.holder, {sha256}, options_.clock->Now()); });
  if (status.ok()) {
    const Stopwatch stopwatch;
    status = upload.Finish();
    metrics_.StoreOperation("finish_upload", absl::Seconds(stopwatch.Seconds()), status);
  }
  // Only now: whoever sent other bytes than the digest's does not get the blob that has it.
  if (status.ok()) status = jobs_.NoteUploads(who.tenant, {sha256}, now);
  if (status.ok()) metrics_.BlobBytes("upload", static_cast<size_t>(upload.size_bytes()));
  Release(held);
  metrics_.SetBlobBytes(blobs_.size_bytes());
  return status;
}

absl::Status BlobKeeper::RemoveExpiredUploads(absl::Time now) {
  EndLateRemovals();
  const absl::Time oldest = now - options_.upload_retention;
  SASQ_ASSIGN_OR_RETURN(const std::vector<std::string> expired, jobs_.ExpireUploads(oldest));
  RemoveUnreferenced(expired);
  SASQ_ASSIGN_OR_RETURN(const std::vector<std::string> stale,
                        jobs_.StaleBlobRemovals(options_.clock->Now()));
  RemoveUnreferenced(stale);
  return blobs_.RemoveUploads(oldest);
}

absl::Status BlobKeeper::RemoveIfUnreferenced(const std::string& digest) {
  // Most calls end here, without a write.
  SASQ_ASSIGN_OR_RETURN(const bool referenced, jobs_.IsBlobReferenced(digest));
  if (referenced) return absl::OkStatus();
  const Removal removal = {digest, NewUid()};
  const absl::StatusOr<bool> begun =
      jobs_.BeginBlobRemoval(digest, removal.remover, options_.clock->Now());
  if (begun.ok() && !*begun) return absl::OkStatus();
  // After an error it may be marked all the same.
  absl::Status status = begun.ok() ? blobs_.Delete(digest) : begun.status();
  status.Update(EndRemoval(removal));
  return status;
}

absl::Status BlobKeeper::EndRemoval(const Removal& removal) {
  absl::Status status = jobs_.EndBlobRemoval(removal.sha256, removal.remover);
  MutexLock lock(&mutex_);
  if (!status.ok()) late_.push_back(removal);
  removed_.SignalAll();
  return status;
}

void BlobKeeper::EndLateRemovals() {
  std::vector<Removal> late;
  {
    MutexLock lock(&mutex_);
    late.swap(late_);
  }
  for (const Removal& removal : late) {
    const absl::Status status = EndRemoval(removal);
    if (!status.ok())
      LogWarning("removal_not_ended", {{"sha256", removal.sha256}, {"error", status}});
  }
}

void BlobKeeper::RemoveUnreferenced(const std::vector<std::string>& digests) {
  for (const std::string& digest : digests) {
    const absl::Status status = RemoveIfUnreferenced(digest);
    if (!status.ok()) LogWarning("blob_not_removed", {{"sha256", digest}, {"error", status}});
  }
  metrics_.SetBlobBytes(blobs_.size_bytes());
}

absl::Status BlobKeeper::RemoveOrphans() {
  SASQ_ASSIGN_OR_RETURN(const std::vector<std::string> digests, blobs_.List());
  SASQ_ASSIGN_OR_RETURN(const JobStats stats, jobs_.Stats());
  if (stats.count_by_state.empty() && !digests.empty()) {
    LogWarning("blobs_kept",
               {{"blobs", digests.size()},
                {"why", "the job store knows no job: is it the one of these blobs?"}});
    return absl::OkStatus();
  }
  RemoveUnreferenced(digests);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<const BlobReader>> BlobKeeper::Open(absl::string_view sha256) {
  const Stopwatch stopwatch;
  auto reader = blobs_.Open(sha256);
  metrics_.StoreOperation("open_blob", absl::Seconds(stopwatch.Seconds()), reader.status());
  return reader;
}

}  // namespace sasq
