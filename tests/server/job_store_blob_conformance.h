// What every JobStore must know of blobs: who refers to one, and that it is not removed meanwhile.
#ifndef SASQ_TESTS_SERVER_JOB_STORE_BLOB_CONFORMANCE_H_
#define SASQ_TESTS_SERVER_JOB_STORE_BLOB_CONFORMANCE_H_

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "tests/server/job_store_conformance.h"

namespace sasq {

TEST_P(JobStoreConformance, ArtifactIsPublishedWithItsStateAndDeletedWithItsJob) {
  const std::string shared = Sha256Hex("shared");
  const std::string own = Sha256Hex("own");
  const auto publish = [&](const std::vector<std::string>& digests) {
    const std::string id = Insert(NewJob());
    EXPECT_TRUE(store_
                    ->Update(id,
                             [&](JobChange& change) {
                               change.record.job.set_state(v1::JOB_STATE_SUCCEEDED);
                               v1::Artifact& artifact = change.artifact.emplace();
                               artifact.set_name(ArtifactName(id));
                               for (const std::string& digest : digests) {
                                 artifact.add_blobs()->set_sha256(digest);
                               }
                               return absl::OkStatus();
                             })
                    .ok());
    return id;
  };
  const std::string first = publish({shared, own, own});
  const std::string second = publish({shared});
  EXPECT_EQ(store_->GetArtifact(first)->blobs_size(), 3);
  EXPECT_TRUE(*store_->IsBlobReferenced(own));

  const auto agree = [](const JobRecord&) { return absl::OkStatus(); };
  EXPECT_TRUE(absl::IsFailedPrecondition(
      store_->Delete(first, [](const JobRecord&) { return absl::FailedPreconditionError("no"); })
          .status()));
  EXPECT_TRUE(store_->Get(first).ok());
  EXPECT_THAT(*store_->Delete(first, agree), testing::ElementsAre(own));
  EXPECT_TRUE(absl::IsNotFound(store_->Get(first).status()));
  EXPECT_TRUE(absl::IsNotFound(store_->GetArtifact(first).status()));
  EXPECT_FALSE(*store_->IsBlobReferenced(own));
  EXPECT_TRUE(*store_->IsBlobReferenced(shared));
  EXPECT_THAT(*store_->Delete(second, agree), testing::ElementsAre(shared));
}

TEST_P(JobStoreConformance, SpecsAndUploadsReferToBlobs) {
  const std::string model = Sha256Hex("model");
  const std::string text = Sha256Hex("text");
  const auto insert = [&](const std::vector<std::string>& digests) {
    JobChange added = NewJob();
    v1::JobSpec& spec = *added.record.job.mutable_spec();
    for (const std::string& digest : digests) {
      spec.mutable_model()->add_files()->set_sha256(digest);
    }
    spec.mutable_training_text()->mutable_file()->set_sha256(text);
    return Insert(added);
  };
  const std::string first = insert({model});
  const std::string second = insert({});
  EXPECT_TRUE(*store_->IsBlobReferenced(model));
  EXPECT_TRUE(*store_->IsBlobReferenced(text));
  const auto agree = [](const JobRecord&) { return absl::OkStatus(); };
  EXPECT_THAT(*store_->Delete(first, agree), testing::ElementsAre(model));
  EXPECT_TRUE(*store_->IsBlobReferenced(text));

  ASSERT_TRUE(store_->NoteUploads("", {text, model}, absl::FromUnixSeconds(100)).ok());
  EXPECT_THAT(*store_->Delete(second, agree), testing::IsEmpty());
  EXPECT_TRUE(*store_->IsBlobReferenced(model));
  ASSERT_TRUE(store_->NoteUploads("", {model}, absl::FromUnixSeconds(200)).ok());
  EXPECT_THAT(*store_->ExpireUploads(absl::FromUnixSeconds(100)), testing::IsEmpty());
  EXPECT_THAT(*store_->ExpireUploads(absl::FromUnixSeconds(200)), testing::ElementsAre(text));
  EXPECT_FALSE(*store_->IsBlobReferenced(text));
  EXPECT_THAT(*store_->ExpireUploads(absl::FromUnixSeconds(201)), testing::ElementsAre(model));
}

TEST_P(JobStoreConformance, BlobsBelongToTenants) {
  const std::string input = Sha256Hex("input");
  const std::string result = Sha256Hex("result");
  const std::string upload = Sha256Hex("upload");
  JobChange added = NewJob();
  added.record.job.set_tenant("acme");
  added.record.job.mutable_spec()->mutable_model()->add_files()->set_sha256(input);
  const std::string id = Insert(added);
  ASSERT_TRUE(store_
                  ->Update(id,
                           [&](JobChange& change) {
                             v1::Artifact& artifact = change.artifact.emplace();
                             artifact.set_name(ArtifactName(id));
                             artifact.add_blobs()->set_sha256(result);
                             return absl::OkStatus();
                           })
                  .ok());
  ASSERT_TRUE(store_->NoteUploads("acme", {upload}, absl::FromUnixSeconds(100)).ok());
  ASSERT_TRUE(store_->NoteUploads("other", {upload}, absl::FromUnixSeconds(200)).ok());
  for (const std::string& digest : {input, result}) {
    EXPECT_TRUE(*store_->IsBlobOf("acme", digest));
    EXPECT_FALSE(*store_->IsBlobOf("other", digest));
    EXPECT_FALSE(*store_->IsBlobOf("", digest));
  }
  EXPECT_TRUE(*store_->IsBlobOf("acme", upload));
  EXPECT_THAT(*store_->ExpireUploads(absl::FromUnixSeconds(150)), testing::ElementsAre(upload));
  EXPECT_FALSE(*store_->IsBlobOf("acme", upload));
  EXPECT_TRUE(*store_->IsBlobOf("other", upload));
  EXPECT_TRUE(*store_->IsBlobReferenced(upload));
}

TEST_P(JobStoreConformance, HoldersReferToBlobsUntilTheyLetGo) {
  const std::string first = Sha256Hex("first");
  const std::string second = Sha256Hex("second");
  const std::string holder = NewUid();
  ASSERT_TRUE(store_->HoldBlobs(holder, {first, second, first}, absl::FromUnixSeconds(100)).ok());
  ASSERT_TRUE(store_->HoldBlobs(NewUid(), {second}, absl::FromUnixSeconds(100)).ok());
  ASSERT_TRUE(store_->HoldBlobs(NewUid(), {}, absl::FromUnixSeconds(100)).ok());
  EXPECT_TRUE(*store_->IsBlobReferenced(first));
  EXPECT_FALSE(*store_->IsBlobOf("", first)) << "a holder is no tenant";
  EXPECT_FALSE(*store_->BeginBlobRemoval(first, "remover", kNow));
  ASSERT_TRUE(store_->ReleaseBlobs(holder).ok());
  EXPECT_FALSE(*store_->IsBlobReferenced(first));
  EXPECT_TRUE(*store_->IsBlobReferenced(second)) << "another has it";
  // Of a holder that died.
  EXPECT_THAT(*store_->ExpireUploads(absl::FromUnixSeconds(101)), testing::ElementsAre(second));
  EXPECT_FALSE(*store_->IsBlobReferenced(second));
}

TEST_P(JobStoreConformance, HoldersAndUploadsOfOneBlobAreApart) {
  const std::string blob = Sha256Hex("blob");
  const std::string holder = NewUid();
  ASSERT_TRUE(store_->NoteUploads("", {blob}, absl::FromUnixSeconds(100)).ok());
  ASSERT_TRUE(store_->HoldBlobs(holder, {blob}, absl::FromUnixSeconds(200)).ok());
  ASSERT_TRUE(store_->ReleaseBlobs(holder).ok());
  EXPECT_TRUE(*store_->IsBlobReferenced(blob));
  EXPECT_TRUE(*store_->IsBlobOf("", blob));
}

TEST_P(JobStoreConformance, ABlobThatIsBeingRemovedGetsNoReferences) {
  const std::string blob = Sha256Hex("blob");
  const std::string other = Sha256Hex("other");
  EXPECT_TRUE(*store_->BeginBlobRemoval(blob, "remover", kNow));
  EXPECT_FALSE(*store_->BeginBlobRemoval(blob, "remover", kNow)) << "one at a time";
  const absl::Status errors[] = {store_->NoteUploads("", {other, blob}, kNow),
                                 store_->HoldBlobs(NewUid(), {other, blob}, kNow)};
  for (const absl::Status& error : errors) {
    EXPECT_TRUE(absl::IsUnavailable(error)) << error;
    EXPECT_EQ(ReasonOf(error), "BLOB_IN_REMOVAL");
  }
  EXPECT_FALSE(*store_->IsBlobReferenced(other)) << "nothing is noted";
  ASSERT_TRUE(store_->EndBlobRemoval(blob, "another").ok());
  EXPECT_FALSE(store_->NoteUploads("", {blob}, kNow).ok()) << "it is not the other's";
  ASSERT_TRUE(store_->EndBlobRemoval(blob, "remover").ok());
  ASSERT_TRUE(store_->EndBlobRemoval(blob, "remover").ok());
  EXPECT_TRUE(store_->NoteUploads("", {blob}, kNow).ok());
  EXPECT_FALSE(*store_->BeginBlobRemoval(blob, "remover", kNow));
}

TEST_P(JobStoreConformance, ARemovalThatDiedIsTakenOver) {
  const std::string blob = Sha256Hex("blob");
  const absl::Time later = kNow + JobStore::kBlobRemovalTimeout;
  ASSERT_TRUE(*store_->BeginBlobRemoval(blob, "remover", kNow));
  EXPECT_THAT(*store_->StaleBlobRemovals(later - absl::Seconds(1)), testing::IsEmpty());
  EXPECT_FALSE(*store_->BeginBlobRemoval(blob, "remover", later - absl::Seconds(1)));
  EXPECT_THAT(*store_->StaleBlobRemovals(later), testing::ElementsAre(blob));
  EXPECT_TRUE(*store_->BeginBlobRemoval(blob, "remover", later));
  EXPECT_FALSE(*store_->BeginBlobRemoval(blob, "remover", later));
  EXPECT_THAT(*store_->StaleBlobRemovals(later), testing::IsEmpty());
}

// Whatever the order, a blob that somebody got hold of is not removed by anyone.
TEST_P(JobStoreConformance, HoldingAndRemovingExcludeEachOther) {
  constexpr int kRounds = 30;
  std::atomic<int> both = 0;
  for (int round = 0; round < kRounds; ++round) {
    const std::string blob = Sha256Hex(absl::StrCat("blob ", round));
    std::atomic<bool> held = false;
    std::atomic<bool> removed = false;
    std::thread holder([&] { held.store(store_->HoldBlobs(NewUid(), {blob}, kNow).ok()); });
    std::thread remover([&] { removed.store(*store_->BeginBlobRemoval(blob, "remover", kNow)); });
    holder.join();
    remover.join();
    if (held.load() && removed.load()) ++both;
    EXPECT_TRUE(held.load() || removed.load());
  }
  EXPECT_EQ(both.load(), 0);
}

}  // namespace sasq

#endif  // SASQ_TESTS_SERVER_JOB_STORE_BLOB_CONFORMANCE_H_
