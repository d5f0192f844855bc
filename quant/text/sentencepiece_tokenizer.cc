#include "quant/text/sentencepiece_tokenizer.h"

#include <optional>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/file.h"
#include "common/status_macros.h"
#include "quant/format/model_error.h"
#include "quant/text/sentencepiece_bpe.h"
#include "quant/text/sentencepiece_model.h"
#include "quant/text/text_error.h"
#include "quant/text/unicode.h"

namespace sasq {
namespace {

using PieceType = SentencePieceModel::PieceType;

constexpr int64_t kMaxFileBytes = 256 << 20;
constexpr char kSpaceMark[] = "\xe2\x96\x81";  // U+2581

class SentencePieceTokenizer final : public Tokenizer {
 public:
  explicit SentencePieceTokenizer(const SentencePieceModel& model)
      : bpe_(model),
        pieces_(model.pieces),
        add_dummy_prefix_(model.add_dummy_prefix),
        remove_extra_whitespaces_(model.remove_extra_whitespaces) {}

  absl::StatusOr<std::vector<int32_t>> Encode(absl::string_view text) const override {
    if (const std::optional<size_t> offset = FindInvalidUtf8(text)) {
      return NotUtf8("the text", text, *offset);
    }
    return bpe_.Encode(Normalize(text));
  }

  std::string TokenText(int32_t id) const override {
    const bool known = id >= 0 && id < vocab_size();
    return known ? pieces_[static_cast<size_t>(id)].text : "";
  }

  int64_t vocab_size() const override { return static_cast<int64_t>(pieces_.size()); }

 private:
  // Spaces become marks, with one before the text. With remove_extra_whitespaces, none at either
  // end of the text and no two in a row (other than inside of user-defined pieces).
  std::string Normalize(absl::string_view text) const {
    if (remove_extra_whitespaces_) {
      while (absl::ConsumePrefix(&text, " ")) {
      }
    }
    if (text.empty()) return "";
    std::string normalized = add_dummy_prefix_ ? kSpaceMark : "";
    bool after_space = remove_extra_whitespaces_;
    for (const char byte : text) {
      if (byte != ' ') {
        normalized += byte;
      } else if (!after_space) {
        normalized += kSpaceMark;
      }
      after_space = remove_extra_whitespaces_ && byte == ' ';
    }
    if (remove_extra_whitespaces_) {
      absl::string_view trimmed = normalized;
      while (absl::ConsumeSuffix(&trimmed, kSpaceMark)) {
      }
      normalized.resize(trimmed.size());
    }
    return normalized;
  }

  const SentencePieceBpe bpe_;
  const std::vector<SentencePieceModel::Piece> pieces_;
  const bool add_dummy_prefix_;
  const bool remove_extra_whitespaces_;
};

absl::Status CheckSupported(const SentencePieceModel& model) {
  const auto unknown = [](absl::string_view what) {
    return UnsupportedModel(absl::StrCat(what,
                                         " is not known to this version; a tokenizer.json of "
                                         "the same model beside it would be taken instead"));
  };
  if (model.kind != SentencePieceModel::Kind::kBpe) {
    return unknown("a SentencePiece model other than BPE");
  }
  if (!model.precompiled_charsmap.empty()) return unknown("a normalization table");
  if (model.treat_whitespace_as_suffix) return unknown("treat_whitespace_as_suffix");
  if (!model.escape_whitespaces) return unknown("escape_whitespaces = false");
  for (const SentencePieceModel::Piece& piece : model.pieces) {
    if (piece.type == PieceType::kUnused) return unknown("a piece marked as unused");
    if (piece.type == PieceType::kUserDefined && absl::StrContains(piece.text, ' ')) {
      return unknown("a user-defined piece with a space");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckPieces(const SentencePieceModel& model) {
  std::set<absl::string_view> texts;
  size_t byte_count = 0;
  size_t unknown_count = 0;
  for (const SentencePieceModel::Piece& piece : model.pieces) {
    if (!texts.insert(piece.text).second) {
      return InvalidModel(absl::StrCat("the piece \"", piece.text, "\" is there twice"));
    }
    byte_count += piece.type == PieceType::kByte;
    unknown_count += piece.type == PieceType::kUnknown;
  }
  for (int byte = 0; model.byte_fallback && byte < 256; ++byte) {
    const std::string name = absl::StrCat(
        "<0x", absl::AsciiStrToUpper(absl::StrCat(absl::Hex(byte, absl::kZeroPad2))), ">");
    if (byte_count != 256 || !texts.contains(name)) {
      return InvalidModel(absl::StrCat(
          "falls back to bytes, but not every byte has a piece: ", byte_count, " of 256"));
    }
  }
  if (unknown_count != 1) {
    return InvalidModel(absl::StrCat("has ", unknown_count, " unknown pieces, want one"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<const Tokenizer>> LoadSentencePieceTokenizer(
    const std::string& path) {
  const absl::StatusOr<std::string> bytes = ReadFile(path, kMaxFileBytes);
  if (!bytes.ok()) return ModelFileError(bytes.status());
  const absl::StatusOr<SentencePieceModel> model = ParseSentencePieceModel(*bytes);
  if (!model.ok()) return AtPath(model.status(), path);
  for (const absl::Status& status : {CheckSupported(*model), CheckPieces(*model)}) {
    if (!status.ok()) return AtPath(status, path);
  }
  return std::make_unique<SentencePieceTokenizer>(*model);
}

}  // namespace sasq
