#include "quant/text/pre_tokenizer.h"

#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/status_macros.h"
#include "quant/format/model_error.h"
#include "quant/text/json_fields.h"
#include "quant/text/regex.h"
#include "quant/text/unicode.h"

namespace sasq {
namespace {

using nlohmann::json;

// What becomes of the delimiters that a step matched and of the text between them.
enum class SplitBehavior {
  kIsolated,            // every match and every gap is a piece
  kRemoved,             // every gap is a piece
  kContiguous,          // every run of adjacent matches and every gap is a piece
  kMergedWithPrevious,  // a match belongs to the gap before it
  kMergedWithNext,      // a match belongs to the gap behind it
};

absl::StatusOr<SplitBehavior> ParseBehavior(absl::string_view name) {
  if (name == "Isolated") return SplitBehavior::kIsolated;
  if (name == "Removed") return SplitBehavior::kRemoved;
  if (name == "Contiguous") return SplitBehavior::kContiguous;
  if (name == "MergedWithPrevious") return SplitBehavior::kMergedWithPrevious;
  if (name == "MergedWithNext") return SplitBehavior::kMergedWithNext;
  return UnsupportedModel(absl::StrCat("the split behavior ", name, " is not known"));
}

// Turns matches, told from left to right, into pieces.
class SplitCollector {
 public:
  // `invert`: matches count as gaps and gaps as matches.
  SplitCollector(const Piece& piece, SplitBehavior behavior, bool invert, EmitPiece emit)
      : piece_(piece), behavior_(behavior), invert_(invert), emit_(emit) {}

  absl::Status AddMatch(size_t begin, size_t end) {
    if (begin > done_) SASQ_RETURN_IF_ERROR(Add(done_, begin, invert_));
    done_ = end;
    return Add(begin, end, !invert_);
  }

  absl::Status Finish() {
    if (done_ < piece_.text.size()) {
      SASQ_RETURN_IF_ERROR(Add(done_, piece_.text.size(), invert_));
    }
    return EmitPending();
  }

 private:
  absl::Status Add(size_t begin, size_t end, bool is_match) {
    if (behavior_ == SplitBehavior::kRemoved && is_match) return EmitPending();
    if (pending_end_ > pending_begin_ && Joins(is_match)) {
      pending_end_ = end;
    } else {
      SASQ_RETURN_IF_ERROR(EmitPending());
      pending_begin_ = begin;
      pending_end_ = end;
    }
    pending_is_match_ = is_match;
    return absl::OkStatus();
  }

  // Whether the next part belongs to the pending piece.
  bool Joins(bool is_match) const {
    switch (behavior_) {
      case SplitBehavior::kContiguous:
        return is_match == pending_is_match_;
      case SplitBehavior::kMergedWithPrevious:
        return is_match && !pending_is_match_;
      case SplitBehavior::kMergedWithNext:
        return !is_match && pending_is_match_;
      default:
        return false;
    }
  }

  absl::Status EmitPending() {
    if (pending_end_ == pending_begin_) return absl::OkStatus();
    const size_t begin = std::exchange(pending_begin_, pending_end_);
    return emit_({piece_.text.substr(begin, pending_end_ - begin), piece_.at_start && begin == 0});
  }

  const Piece piece_;
  const SplitBehavior behavior_;
  const bool invert_;
  const EmitPiece emit_;
  size_t done_ = 0;
  size_t pending_begin_ = 0;
  size_t pending_end_ = 0;
  bool pending_is_match_ = false;
};

// Cuts at the matches of a regular expression.
class RegexSplit final : public PreTokenizerStep {
 public:
  RegexSplit(std::unique_ptr<const Regex> regex, SplitBehavior behavior, bool invert)
      : regex_(std::move(regex)), behavior_(behavior), invert_(invert) {}

  absl::Status Split(const Piece& piece, EmitPiece emit) const override {
    SplitCollector collector(piece, behavior_, invert_, emit);
    SASQ_RETURN_IF_ERROR(regex_->ForEachMatch(piece.text, [&collector](size_t begin, size_t end) {
      return collector.AddMatch(begin, end);
    }));
    return collector.Finish();
  }

 private:
  const std::unique_ptr<const Regex> regex_;
  const SplitBehavior behavior_;
  const bool invert_;
};

// Cuts at the occurrences of a string.
class StringSplit final : public PreTokenizerStep {
 public:
  StringSplit(std::string delimiter, SplitBehavior behavior, bool invert)
      : delimiter_(std::move(delimiter)), behavior_(behavior), invert_(invert) {}

  absl::Status Split(const Piece& piece, EmitPiece emit) const override {
    SplitCollector collector(piece, behavior_, invert_, emit);
    size_t begin = 0;
    while ((begin = piece.text.find(delimiter_, begin)) != absl::string_view::npos) {
      SASQ_RETURN_IF_ERROR(collector.AddMatch(begin, begin + delimiter_.size()));
      begin += delimiter_.size();
    }
    return collector.Finish();
  }

 private:
  const std::string delimiter_;  // not empty
  const SplitBehavior behavior_;
  const bool invert_;
};

// Cuts numbers from the rest, or every digit.
class DigitSplit final : public PreTokenizerStep {
 public:
  explicit DigitSplit(bool individual)
      : behavior_(individual ? SplitBehavior::kIsolated : SplitBehavior::kContiguous) {}

  absl::Status Split(const Piece& piece, EmitPiece emit) const override {
    SplitCollector collector(piece, behavior_, /*invert=*/false, emit);
    for (size_t end = 0; end < piece.text.size();) {
      const size_t begin = end;
      if (IsNumeric(DecodeUtf8(piece.text, &end))) {
        SASQ_RETURN_IF_ERROR(collector.AddMatch(begin, end));
      }
    }
    return collector.Finish();
  }

 private:
  const SplitBehavior behavior_;
};

// Puts a space before a piece that has none.
class SpacePrefix final : public PreTokenizerStep {
 public:
  absl::Status Split(const Piece& piece, EmitPiece emit) const override {
    if (absl::StartsWith(piece.text, " ")) return emit(piece);
    const std::string prefixed = absl::StrCat(" ", piece.text);
    return emit({prefixed, piece.at_start});
  }
};

// Rewrites every byte as a printable character: those of Latin-1 stand for themselves, the other 68
// bytes become U+0100 and up, in order (the alphabet of GPT-2).
class ByteAlphabet final : public PreTokenizerStep {
 public:
  ByteAlphabet() {
    char32_t next = 0x100;
    for (unsigned byte = 0; byte < characters_.size(); ++byte) {
      const bool is_printable = (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte != 0xad);
      AppendUtf8(is_printable ? byte : next++, &characters_[byte]);
    }
  }

  absl::Status Split(const Piece& piece, EmitPiece emit) const override {
    std::string rewritten;
    rewritten.reserve(2 * piece.text.size());
    for (const char byte : piece.text) rewritten += characters_[static_cast<unsigned char>(byte)];
    return emit({rewritten, piece.at_start});
  }

 private:
  std::array<std::string, 256> characters_;
};

// Writes spaces as a mark (SentencePiece's convention).
class MetaspaceStep final : public PreTokenizerStep {
 public:
  enum class Prepend { kAlways, kFirst, kNever };
  MetaspaceStep(std::string mark, Prepend prepend, bool split)
      : mark_(std::move(mark)), prepend_(prepend), split_(split) {}

  absl::Status Split(const Piece& piece, EmitPiece emit) const override {
    std::string marked = absl::StrReplaceAll(piece.text, {{" ", mark_}});
    const bool wants_mark =
        prepend_ == Prepend::kAlways || (prepend_ == Prepend::kFirst && piece.at_start);
    if (wants_mark && !absl::StartsWith(marked, mark_)) marked.insert(0, mark_);
    const Piece marked_piece{marked, piece.at_start};
    if (!split_) return emit(marked_piece);
    return StringSplit(mark_, SplitBehavior::kMergedWithNext, /*invert=*/false)
        .Split(marked_piece, emit);
  }

 private:
  const std::string mark_;
  const Prepend prepend_;
  const bool split_;
};

using Step = std::unique_ptr<const PreTokenizerStep>;

absl::StatusOr<Step> ParseSplit(const json& spec) {
  SASQ_ASSIGN_OR_RETURN(const std::string behavior_name, StringField(spec, "behavior"));
  SASQ_ASSIGN_OR_RETURN(const SplitBehavior behavior, ParseBehavior(behavior_name));
  SASQ_ASSIGN_OR_RETURN(const bool invert, BoolField(spec, "invert", false));
  const json* pattern = FindField(spec, "pattern");
  if (pattern == nullptr || !pattern->is_object()) {
    return InvalidModel("the pre-tokenizer Split has no pattern");
  }
  if (FindField(*pattern, "String") != nullptr) {
    SASQ_ASSIGN_OR_RETURN(std::string text, StringField(*pattern, "String"));
    if (text.empty()) return InvalidModel("the pre-tokenizer Split has an empty pattern");
    return std::make_unique<StringSplit>(std::move(text), behavior, invert);
  }
  SASQ_ASSIGN_OR_RETURN(const std::string expression, StringField(*pattern, "Regex"));
  SASQ_ASSIGN_OR_RETURN(auto regex, Regex::Compile(expression));
  return std::make_unique<RegexSplit>(std::move(regex), behavior, invert);
}

absl::Status AppendByteLevel(const json& spec, std::vector<Step>* steps) {
  // https://github.com/openai/gpt-2/blob/master/src/encoder.py
  constexpr char kGpt2Pattern[] =
      R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
  SASQ_ASSIGN_OR_RETURN(const bool add_prefix_space, BoolField(spec, "add_prefix_space", true));
  SASQ_ASSIGN_OR_RETURN(const bool use_regex, BoolField(spec, "use_regex", true));
  if (add_prefix_space) steps->push_back(std::make_unique<SpacePrefix>());
  if (use_regex) {
    SASQ_ASSIGN_OR_RETURN(auto regex, Regex::Compile(kGpt2Pattern));
    steps->push_back(
        std::make_unique<RegexSplit>(std::move(regex), SplitBehavior::kIsolated, false));
  }
  steps->push_back(std::make_unique<ByteAlphabet>());
  return absl::OkStatus();
}

absl::StatusOr<Step> ParseMetaspace(const json& spec) {
  SASQ_ASSIGN_OR_RETURN(std::string mark, StringField(spec, "replacement"));
  if (mark.empty()) return InvalidModel("the pre-tokenizer Metaspace has an empty replacement");
  SASQ_ASSIGN_OR_RETURN(const bool add_prefix_space, BoolField(spec, "add_prefix_space", true));
  SASQ_ASSIGN_OR_RETURN(const std::string scheme,
                        StringField(spec, "prepend_scheme", add_prefix_space ? "always" : "never"));
  SASQ_ASSIGN_OR_RETURN(const bool split, BoolField(spec, "split", true));
  MetaspaceStep::Prepend prepend = MetaspaceStep::Prepend::kAlways;
  if (scheme == "first") {
    prepend = MetaspaceStep::Prepend::kFirst;
  } else if (scheme == "never") {
    prepend = MetaspaceStep::Prepend::kNever;
  } else if (scheme != "always") {
    return UnsupportedModel(absl::StrCat("the Metaspace prepend_scheme ", scheme,
                                         " is not known; known are always, first, never"));
  }
  return std::make_unique<MetaspaceStep>(std::move(mark), prepend, split);
}

absl::Status AppendSteps(const json& spec, std::vector<Step>* steps) {
  SASQ_ASSIGN_OR_RETURN(const std::string type, StringField(spec, "type"));
  if (type == "ByteLevel") return AppendByteLevel(spec, steps);
  Step step;
  if (type == "Split") {
    SASQ_ASSIGN_OR_RETURN(step, ParseSplit(spec));
  } else if (type == "Digits") {
    SASQ_ASSIGN_OR_RETURN(const bool individual, BoolField(spec, "individual_digits", false));
    step = std::make_unique<DigitSplit>(individual);
  } else if (type == "Metaspace") {
    SASQ_ASSIGN_OR_RETURN(step, ParseMetaspace(spec));
  } else {
    return UnsupportedModel(
        absl::StrCat("the pre-tokenizer ", type,
                     " is not known; known are ByteLevel, Digits, Metaspace, Split, Sequence"));
  }
  steps->push_back(std::move(step));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<PreTokenizer> PreTokenizer::Parse(const json* spec) {
  PreTokenizer pre_tokenizer;
  SASQ_ASSIGN_OR_RETURN(const auto parts, FlattenSequence(spec, "pretokenizers"));
  for (const json* part : parts) {
    SASQ_RETURN_IF_ERROR(AppendSteps(*part, &pre_tokenizer.steps_));
  }
  return pre_tokenizer;
}

absl::Status PreTokenizer::Split(const Piece& piece, EmitPiece emit) const {
  return SplitFrom(0, piece, emit);
}

absl::Status PreTokenizer::SplitFrom(size_t step, const Piece& piece, EmitPiece emit) const {
  if (step == steps_.size()) return emit(piece);
  return steps_[step]->Split(piece,
                             [&](const Piece& part) { return SplitFrom(step + 1, part, emit); });
}

}  // namespace sasq
