#include "quant/text/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "quant/format/model_error.h"
#include "quant/text/text_error.h"

namespace sasq {
namespace {

// Steps of backtracking for one match, and memory for them: far beyond what a sane pattern takes.
constexpr uint32_t kMatchLimit = 10'000'000;
constexpr uint32_t kHeapLimitKib = 256 * 1024;
constexpr size_t kJitStackStartBytes = 64 * 1024;
constexpr size_t kJitStackMaxBytes = 64 * 1024 * 1024;

template <typename T, void (*Free)(T*)>
struct Deleter {
  void operator()(T* object) const { Free(object); }
};
template <typename T, void (*Free)(T*)>
using Owned = std::unique_ptr<T, Deleter<T, Free>>;

using Code = Owned<pcre2_code, pcre2_code_free>;
using CompileContext = Owned<pcre2_compile_context, pcre2_compile_context_free>;
using MatchData = Owned<pcre2_match_data, pcre2_match_data_free>;
using MatchContext = Owned<pcre2_match_context, pcre2_match_context_free>;
using JitStack = Owned<pcre2_jit_stack, pcre2_jit_stack_free>;

std::string ErrorText(int code) {
  std::array<PCRE2_UCHAR, 256> buffer{};
  pcre2_get_error_message(code, buffer.data(), buffer.size());
  return reinterpret_cast<const char*>(buffer.data());
}

PCRE2_SPTR AsUnits(absl::string_view text) { return reinterpret_cast<PCRE2_SPTR>(text.data()); }

}  // namespace

struct Regex::Impl {
  std::string pattern;
  Code code;
};

Regex::Regex(std::unique_ptr<const Impl> impl) : impl_(std::move(impl)) {}
Regex::~Regex() = default;

absl::StatusOr<std::unique_ptr<const Regex>> Regex::Compile(absl::string_view pattern) {
  SASQ_ASSIGN_OR_RETURN(const std::string translated, TranslatePattern(pattern));
  // As in Ruby: ^ and $ stand at every line, and lines end with LF only.
  CompileContext context(pcre2_compile_context_create(nullptr));
  SASQ_CHECK(context != nullptr);
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  int error = 0;
  PCRE2_SIZE error_offset = 0;
  auto impl = std::make_unique<Impl>();
  impl->pattern = std::string(pattern);
  impl->code.reset(pcre2_compile(AsUnits(translated), translated.size(),
                                 PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE, &error, &error_offset,
                                 context.get()));
  if (impl->code == nullptr) {
    return UnsupportedModel(
        absl::StrCat("the pattern ", pattern, " does not compile: ", ErrorText(error)));
  }
  uint32_t matches_empty = 0;
  pcre2_pattern_info(impl->code.get(), PCRE2_INFO_MATCHEMPTY, &matches_empty);
  if (matches_empty != 0) {
    return UnsupportedModel(absl::StrCat("the pattern ", pattern, " can match the empty string"));
  }
  // Where the machine forbids it, the interpreter does the same more slowly.
  pcre2_jit_compile(impl->code.get(), PCRE2_JIT_COMPLETE);
  return std::unique_ptr<const Regex>(new Regex(std::move(impl)));
}

absl::Status Regex::ForEachMatch(absl::string_view text,
                                 absl::FunctionRef<absl::Status(size_t, size_t)> on_match) const {
  const MatchData match(pcre2_match_data_create_from_pattern(impl_->code.get(), nullptr));
  const MatchContext context(pcre2_match_context_create(nullptr));
  JitStack stack;  // made when the 32 KiB of machine stack that matching takes by default run out
  SASQ_CHECK(match != nullptr && context != nullptr);
  pcre2_set_match_limit(context.get(), kMatchLimit);
  pcre2_set_heap_limit(context.get(), kHeapLimitKib);
  size_t offset = 0;
  while (offset < text.size()) {
    const int result = pcre2_match(impl_->code.get(), AsUnits(text), text.size(), offset,
                                   PCRE2_NO_UTF_CHECK, match.get(), context.get());
    if (result == PCRE2_ERROR_NOMATCH) break;
    if (result == PCRE2_ERROR_JIT_STACKLIMIT && stack == nullptr) {
      stack.reset(pcre2_jit_stack_create(kJitStackStartBytes, kJitStackMaxBytes, nullptr));
      SASQ_CHECK(stack != nullptr);
      pcre2_jit_stack_assign(context.get(), nullptr, stack.get());
      continue;
    }
    if (result < 0) {
      return InvalidText(absl::StrCat("the pattern ", impl_->pattern, " gave up at byte ", offset,
                                      " of a piece of ", text.size(),
                                      " bytes: ", ErrorText(result)));
    }
    const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(match.get());
    SASQ_RETURN_IF_ERROR(on_match(bounds[0], bounds[1]));
    offset = bounds[1];
  }
  return absl::OkStatus();
}

}  // namespace sasq
