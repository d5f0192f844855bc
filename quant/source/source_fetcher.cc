#include "quant/source/source_fetcher.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/file.h"
#include "common/status_macros.h"
#include "quant/source/model_files.h"

namespace sasq {
namespace {

// Between two looks at what another process fetches.
constexpr absl::Duration kOtherFetchPoll = absl::Seconds(1);

const RemoteFile* FindFile(const std::vector<RemoteFile>& files, absl::string_view name) {
  const auto found = std::find_if(files.begin(), files.end(),
                                  [name](const RemoteFile& file) { return file.name == name; });
  return found == files.end() ? nullptr : &*found;
}

}  // namespace

SourceFetcher::SourceFetcher(Options options)
    : options_(std::move(options)), cache_(options_.cache), hub_(options_.hub), s3_(options_.s3) {}

Retrier SourceFetcher::MakeRetrier(const Log& log) const {
  return Retrier(options_.retries, *options_.pause, log);
}

absl::StatusOr<FetchedSource> SourceFetcher::Locate(const SourceUri& uri, SourceKind kind) const {
  FetchedSource source;
  source.resolved_uri = "file:" + uri.path;
  SASQ_ASSIGN_OR_RETURN(source.path, kind == SourceKind::kModel
                                         ? options_.roots.ResolveFolder(uri.path)
                                         : options_.roots.Resolve(uri.path));
  return source;
}

RemoteFile SourceFetcher::UploadedFile(const UploadedContent& content) const {
  RemoteFile file;
  file.name = content.name;
  file.size_bytes = content.size_bytes;
  file.sha256 = content.sha256;
  file.cache_key = absl::StrCat("sha256-", content.sha256);
  file.description = absl::StrCat("the uploaded ", content.name);
  file.read = [uploads = options_.uploads, sha256 = content.sha256](
                  int64_t offset, const std::stop_token& stop, TakePiece take) {
    return uploads->Read(sha256, offset, stop, take);
  };
  return file;
}

absl::StatusOr<std::vector<RemoteFile>> SourceFetcher::List(
    const SourceUri& uri, const std::vector<UploadedContent>& uploaded, const Run& run,
    std::string& resolved_uri) {
  Retrier retrier = MakeRetrier(run.log);
  std::vector<RemoteFile> files;
  switch (uri.scheme) {
    case SourceScheme::kHub: {
      SASQ_ASSIGN_OR_RETURN(HubListing listing, hub_.List(uri, retrier, run.stop));
      resolved_uri = absl::StrCat("hf:", uri.is_dataset ? "datasets/" : "", uri.repository, "@",
                                  listing.commit, uri.path.empty() ? "" : "/", uri.path);
      return std::move(listing.files);
    }
    case SourceScheme::kS3:
      return s3_.List(uri, retrier, run.stop);
    default:
      if (options_.uploads == nullptr) {
        return absl::InvalidArgumentError("`upload:` needs a service that keeps uploads");
      }
      for (const UploadedContent& content : uploaded) files.push_back(UploadedFile(content));
      return files;
  }
}

absl::StatusOr<std::vector<RemoteFile>> SourceFetcher::Choose(const SourceUri& uri,
                                                              const std::vector<RemoteFile>& files,
                                                              Run& run) {
  std::vector<RemoteFile> chosen;
  if (run.kind == SourceKind::kText) {
    const std::string name = uri.scheme == SourceScheme::kUpload && files.size() == 1
                                 ? files[0].name
                                 : SourceName(uri.path);
    const RemoteFile* file = FindFile(files, name);
    if (file == nullptr) return absl::NotFoundError(absl::StrCat("there is no file ", uri.path));
    chosen.push_back(*file);
    return chosen;
  }
  std::vector<std::string> names;
  names.reserve(files.size());
  for (const RemoteFile& file : files) names.push_back(file.name);
  SASQ_ASSIGN_OR_RETURN(
      const std::vector<std::string> wanted,
      ChooseModelFiles(names, [&](const std::string& name) -> absl::StatusOr<std::string> {
        SASQ_RETURN_IF_ERROR(Provide(*FindFile(files, name), run));
        return ReadFile(absl::StrCat(run.task->path(), "/", name), kMaxShardIndexBytes);
      }));
  for (const std::string& name : wanted) chosen.push_back(*FindFile(files, name));
  return chosen;
}

absl::Status SourceFetcher::Provide(const RemoteFile& file, Run& run) {
  while (true) {
    SASQ_ASSIGN_OR_RETURN(bool is_there, cache_.Use(file.cache_key, *run.task, file.name));
    if (is_there) {
      ++hits_;
      return absl::OkStatus();
    }
    absl::StatusOr<std::unique_ptr<PartFile>> part =
        cache_.BeginFetch(file.cache_key, file.size_bytes);
    if (absl::IsAborted(part.status())) {
      options_.pause->For(kOtherFetchPoll, run.stop);
      if (run.stop.stop_requested()) return absl::CancelledError("stopped while fetching");
      continue;
    }
    SASQ_RETURN_IF_ERROR(part.status());
    // Another process may have finished in between.
    SASQ_ASSIGN_OR_RETURN(is_there, cache_.Use(file.cache_key, *run.task, file.name));
    if (is_there) {
      (*part)->Remove();
      ++hits_;
      return absl::OkStatus();
    }
    run.log(absl::StrCat(
        "fetching ", file.description, ", ", file.size_bytes, " bytes",
        (*part)->size_bytes() > 0 ? absl::StrCat(", going on from ", (*part)->size_bytes()) : ""));
    Retrier retrier = MakeRetrier(run.log);
    ++misses_;
    SASQ_RETURN_IF_ERROR(FetchWhole(file, **part, retrier, run.stop));
    fetched_bytes_ += (*part)->size_bytes();
    return cache_.Keep(**part, file.cache_key, *run.task, file.name);
  }
}

absl::StatusOr<FetchedSource> SourceFetcher::Fetch(const std::string& uri_text, SourceKind kind,
                                                   const std::vector<UploadedContent>& uploaded,
                                                   const std::stop_token& stop, const Log& log) {
  SASQ_ASSIGN_OR_RETURN(const SourceUri uri, ParseSourceUri(uri_text, kind));
  if (uri.scheme == SourceScheme::kFile) return Locate(uri, kind);
  if (options_.cache.folder.empty()) {
    return absl::FailedPreconditionError(
        "this worker has no folder for what it fetches; start it with --cache_dir");
  }
  Run run{kind, stop, log, nullptr};
  FetchedSource source;
  source.resolved_uri = uri_text;
  SASQ_ASSIGN_OR_RETURN(run.task, cache_.NewTask());
  SASQ_ASSIGN_OR_RETURN(const std::vector<RemoteFile> files,
                        List(uri, uploaded, run, source.resolved_uri));
  SASQ_ASSIGN_OR_RETURN(const std::vector<RemoteFile> chosen, Choose(uri, files, run));
  for (const RemoteFile& file : chosen) SASQ_RETURN_IF_ERROR(Provide(file, run));
  source.path = kind == SourceKind::kModel
                    ? run.task->path()
                    : absl::StrCat(run.task->path(), "/", chosen.front().name);
  source.task = std::move(run.task);
  return source;
}

}  // namespace sasq
