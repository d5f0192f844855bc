#include "server/access/token_book.h"

#include <google/protobuf/util/json_util.h>
#include <sys/stat.h>

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/file.h"
#include "common/status_macros.h"
#include "server/access/principal.h"
#include "server/access/token.h"

namespace sasq {
namespace {

using server::v1::TokenFile;
using server::v1::TokenRecord;

constexpr int64_t kMaxFileBytes = 16 << 20;
constexpr size_t kMaxTenantBytes = 64;
constexpr size_t kMaxDescriptionBytes = 256;

bool IsTenant(absl::string_view text) {
  const auto is_word = [](char c) { return absl::ascii_islower(c) || absl::ascii_isdigit(c); };
  return !text.empty() && text.size() <= kMaxTenantBytes && is_word(text[0]) &&
         std::all_of(text.begin(), text.end(),
                     [&is_word](char c) { return is_word(c) || c == '_' || c == '-' || c == '.'; });
}

bool IsDescription(absl::string_view text) {
  return text.size() <= kMaxDescriptionBytes &&
         std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return absl::ascii_isprint(c); });
}

// What is wrong with a record; empty: nothing.
std::string ProblemOf(const TokenRecord& record) {
  if (!ParseToken(Token{record.id(), std::string(64, '0')}.ToString()).ok()) {
    return "id is not 16 lower-case hexadecimal digits";
  }
  if (!IsTenant(record.tenant())) {
    return "tenant is not 1..64 of a-z, 0-9, `_`, `-` and `.`, beginning with a letter or digit";
  }
  if (!server::v1::Role_IsValid(record.role()) || record.role() == server::v1::ROLE_UNSPECIFIED) {
    return "role is missing, want ROLE_VIEWER, ROLE_SUBMITTER, ROLE_WORKER or ROLE_ADMIN";
  }
  if (!IsSecretHash(record.secret_hash())) return "secret_hash is no Argon2id hash";
  if (!IsDescription(record.description())) return "description is not at most 256 ASCII letters";
  return "";
}

absl::Status CheckRecords(const TokenFile& file, const std::string& path) {
  std::set<std::string> ids;
  for (int i = 0; i < file.tokens_size(); ++i) {
    std::string problem = ProblemOf(file.tokens(i));
    if (problem.empty() && !ids.insert(file.tokens(i).id()).second) problem = "id is there twice";
    if (problem.empty()) continue;
    return absl::InvalidArgumentError(absl::StrCat(path, ": tokens[", i, "].", problem));
  }
  return absl::OkStatus();
}

// Differs whenever the file does; empty: there is none.
std::string VersionOf(const std::string& path) {
  struct stat info = {};
  if (::stat(path.c_str(), &info) != 0) return "";
  return absl::StrCat(info.st_dev, ":", info.st_ino, ":", info.st_size, ":", info.st_mtim.tv_sec,
                      ":", info.st_mtim.tv_nsec);
}

}  // namespace

absl::StatusOr<TokenFile> ReadTokenFile(const std::string& path) {
  struct stat info = {};
  if (::stat(path.c_str(), &info) == 0 && (info.st_mode & S_IWOTH) != 0) {
    return absl::PermissionDeniedError(
        absl::StrCat(path,
                     " can be written by everybody, who could make tokens; take that right away: "
                     "chmod o-w ",
                     path));
  }
  SASQ_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxFileBytes));
  TokenFile file;
  // What the parser says may quote the file, so it is not repeated.
  if (!google::protobuf::util::JsonStringToMessage(text, &file).ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " is not the JSON that `sasqd token` writes"));
  }
  SASQ_RETURN_IF_ERROR(CheckRecords(file, path));
  return file;
}

absl::Status WriteTokenFile(const std::string& path, const TokenFile& file) {
  SASQ_RETURN_IF_ERROR(CheckRecords(file, path));
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  std::string text;
  SASQ_CHECK(google::protobuf::util::MessageToJsonString(file, &text, options).ok());
  return WriteFileDurably(path, text, /*mode=*/0600);
}

absl::StatusOr<std::unique_ptr<TokenBook>> TokenBook::Open(std::string path) {
  std::unique_ptr<TokenBook> book(new TokenBook(std::move(path)));
  const absl::Status read = book->Reload();
  if (absl::IsNotFound(read)) {
    return absl::NotFoundError(absl::StrCat(read.message(), "; `sasqd token add` makes it"));
  }
  SASQ_RETURN_IF_ERROR(read);
  return book;
}

std::optional<TokenRecord> TokenBook::Find(absl::string_view id) const {
  MutexLock lock(&mutex_);
  const auto found = records_.find(id);
  if (found == records_.end()) return std::nullopt;
  return found->second;
}

absl::Status TokenBook::Reload() {
  std::string version = VersionOf(path_);
  if (version_ == version) return absl::OkStatus();
  version_ = std::move(version);
  SASQ_ASSIGN_OR_RETURN(const TokenFile file, ReadTokenFile(path_));
  Records records;
  for (const TokenRecord& record : file.tokens()) records.emplace(record.id(), record);
  MutexLock lock(&mutex_);
  records_ = std::move(records);
  return absl::OkStatus();
}

}  // namespace sasq
