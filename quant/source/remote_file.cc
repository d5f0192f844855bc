#include "quant/source/remote_file.h"

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace sasq {
namespace {

// Whole transfers of wrong bytes, or of a wrong number of them, after which one gives up.
constexpr int kMaxDamagedTries = 3;

// One try. What the part has stays, unless the source begins anew. `is_damaged`: the source sent
// all that it has, or wanted to, and it is not what it told.
absl::Status ReadRest(const RemoteFile& file, PartFile& part, Retrier& retrier,
                      const std::stop_token& stop, bool& is_damaged) {
  if (part.size_bytes() == file.size_bytes) return absl::OkStatus();
  bool is_first = true;
  const absl::Status read = file.read(
      part.size_bytes(), stop, [&](int64_t offset, absl::string_view bytes) -> absl::Status {
        if (is_first && offset == 0) SASQ_RETURN_IF_ERROR(part.Restart());
        is_first = false;
        const int64_t end = offset + static_cast<int64_t>(bytes.size());
        if (offset != part.size_bytes() || end > file.size_bytes) {
          const int64_t wanted = part.size_bytes();
          is_damaged = true;
          SASQ_RETURN_IF_ERROR(part.Restart());
          return absl::UnavailableError(absl::StrCat(file.description, " sent bytes ", offset, "..",
                                                     end, ", want those from ", wanted, " of the ",
                                                     file.size_bytes, " that it has"));
        }
        SASQ_RETURN_IF_ERROR(part.Append(bytes));
        if (!bytes.empty()) retrier.OnProgress();
        return absl::OkStatus();
      });
  SASQ_RETURN_IF_ERROR(read);
  if (part.size_bytes() == file.size_bytes) return absl::OkStatus();
  is_damaged = true;
  return absl::UnavailableError(absl::StrCat(file.description, " ended after ", part.size_bytes(),
                                             " of ", file.size_bytes, " bytes"));
}

absl::Status CheckDigest(const RemoteFile& file, PartFile& part) {
  std::string wanted = file.sha256;
  if (wanted.empty() && file.told_sha256 != nullptr) wanted = *file.told_sha256;
  std::string found;
  if (!wanted.empty()) {
    SASQ_ASSIGN_OR_RETURN(found, part.FinishDigest());
  } else if (!file.git_sha1.empty()) {
    wanted = file.git_sha1;
    SASQ_ASSIGN_OR_RETURN(found, part.GitBlobSha1Hex());
  }
  if (found == wanted) return absl::OkStatus();
  SASQ_RETURN_IF_ERROR(part.Restart());
  return absl::UnavailableError(absl::StrCat("the bytes of ", file.description, " have the digest ",
                                             found, ", want ", wanted, "; they were thrown away"));
}

}  // namespace

absl::Status FetchWhole(const RemoteFile& file, PartFile& part, Retrier& retrier,
                        const std::stop_token& stop) {
  int damaged_tries = 0;
  while (true) {
    bool is_damaged = false;
    absl::Status status = ReadRest(file, part, retrier, stop, is_damaged);
    if (status.ok()) {
      status = CheckDigest(file, part);
      if (status.ok()) return status;
      is_damaged = true;
    }
    if (is_damaged && ++damaged_tries == kMaxDamagedTries) return status;
    SASQ_RETURN_IF_ERROR(retrier.OnFailure(status, stop));
  }
}

}  // namespace sasq
