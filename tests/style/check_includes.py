"""Checks who includes whom: includes go down the layers, never up or sideways, and heavy libraries
stay in the folders that own them.

usage: check_includes.py [ROOT]
"""

import pathlib
import re
import sys

import tree

# Folder: the folders that it may include beside itself. Top to bottom; tests may include everything.
FORMATS = ["common", "quant/format"]
DOMAIN = [*FORMATS, "quant/artifact", "proto", "kernels"]
ENGINE = [*DOMAIN, "quant/text", "quant/ops"]
MAY_INCLUDE = {
    "client": [*FORMATS, "quant/artifact", "quant/export", "quant/gates", "quant/source", "proto"],
    "server": [*FORMATS, "quant/artifact", "quant/gates", "quant/reuse", "quant/source", "proto", "kernels"],
    "worker": [*ENGINE, "quant/gates", "quant/reuse", "quant/source", "quant/model", "quant/eval", "quant/train", "quant/methods"],
    "quant/methods": [*ENGINE, "quant/model", "quant/eval", "quant/train"],
    "quant/train": [*ENGINE, "quant/model"],
    "quant/eval": [*ENGINE, "quant/model"],
    "quant/model": ENGINE,
    "quant/ops": ["kernels"],
    "quant/text": DOMAIN,
    "quant/export": DOMAIN,
    "quant/gates": ["common", "proto"],
    "quant/reuse": ["common", "proto"],
    "quant/artifact": FORMATS,
    "quant/source": FORMATS,
    "quant/format": ["common"],
    "kernels": ["common"],
    "proto": [],
    "common": ["proto"],
}

# Library: prefixes of its headers, and the folders or files that may include them.
LIBTORCH_FOLDERS = ["quant/ops", "quant/model", "quant/eval", "quant/train", "quant/methods"]
LIBRARIES = {
    "LibTorch": (["torch/", "ATen/", "c10/"], LIBTORCH_FOLDERS),
    "gRPC": (["grpcpp/", "grpc/"], ["client", "server", "worker", "common/rpc_channel.cc", "common/rpc_status.cc"]),
    "prometheus-cpp": (["prometheus/"], ["common/metrics.cc"]),
    "spdlog": (["spdlog/"], ["common/log.cc"]),
    "OpenSSL": (["openssl/"], ["common/ed25519.cc", "common/sha1.cc", "common/sha256.cc", "common/tls_files.cc"]),
    "libsodium": (["sodium.h"], ["server/access/token.cc"]),
    "libcurl": (["curl/"], ["common/http.cc"]),
    "tinyxml2": (["tinyxml2.h"], ["quant/source/s3_bucket.cc", "client/junit.cc"]),
    "SQLite": (["sqlite3.h"], ["server"]),
    "libpq": (["libpq-fe.h", "postgresql/"], ["server/postgres.cc"]),
    "CLI11": (["CLI/"], ["client", "server/sasqd_main.cc", "server/token_command.cc", "worker/sasq_worker_main.cc"]),
    "yaml-cpp": (["yaml-cpp/"], ["client"]),
    "text libraries": (["pcre2.h", "sentencepiece", "unicode/", "utf8proc"], ["quant/text"]),
    "absl::Mutex": (["absl/synchronization/mutex.h"], []),
    "std::mutex": (["mutex", "condition_variable", "shared_mutex"], ["common/mutex.h"]),
}
# Nothing outside its folders may reach LibTorch, not through any chain of headers either: a file
# that does costs seconds and gigabytes to compile.
TRANSITIVE = ["LibTorch"]

# Generated headers belong to proto/.
GENERATED = re.compile(r"^(sasq|google/rpc)/.*\.pb\.h$")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)


def folder_of(path):
    """The layer that a path from the root belongs to, or None."""
    if GENERATED.match(str(path)):
        return "proto"
    inside = [folder for folder in MAY_INCLUDE if str(path).startswith(folder + "/")]
    return max(inside, key=len, default=None)


def library_of(header):
    """The listed library that a header belongs to, or None."""
    for name, (prefixes, _) in LIBRARIES.items():
        for prefix in prefixes:
            if header == prefix or (prefix not in ("mutex", "shared_mutex", "condition_variable")
                                    and header.startswith(prefix)):
                return name
    return None


def allowed(path, places):
    """Whether `path` is one of `places` or in one of them."""
    return any(str(path) == place or str(path).startswith(place + "/") for place in places)


def reaches(library, header, includes, seen):
    """A chain of headers from `header` to `library`, or None."""
    if header in seen:
        return None
    seen.add(header)
    for _, included in includes.get(header, []):
        if library_of(included) == library:
            return [header, included]
        chain = reaches(library, included, includes, seen)
        if chain:
            return [header, *chain]
    return None


def problems_of(path, includes):
    """What is wrong with the includes of one file."""
    folder = folder_of(path)
    for quote, header in includes[str(path)]:
        target = folder_of(header)
        if target and target != folder and target not in MAY_INCLUDE[folder]:
            yield f"{path}: includes {header}; {folder} may include {', '.join(MAY_INCLUDE[folder])}"
        if quote == '"' and "/" not in header:
            yield f"{path}: includes {header}; write the path from the root"
        library = library_of(header)
        if library and not allowed(path, LIBRARIES[library][1]):
            places = ", ".join(LIBRARIES[library][1]) or "nobody"
            yield f"{path}: includes {header} of {library}, which is for {places}"
    for library in TRANSITIVE:
        if not allowed(path, LIBRARIES[library][1]):
            chain = reaches(library, str(path), includes, set())
            if chain and len(chain) > 2:
                yield f"{path}: reaches {library}: {' > '.join(chain)}"


def check(root):
    """Every problem under `root`, and how many files were read."""
    sources = [path for path in tree.cpp_files(root) if folder_of(path)]
    includes = {str(path): INCLUDE.findall((root / path).read_text()) for path in sources}
    return [problem for path in sources for problem in problems_of(path, includes)], len(sources)


if __name__ == "__main__":
    found, count = check(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else tree.ROOT)
    tree.finish(found, f"includes of {count} files")
