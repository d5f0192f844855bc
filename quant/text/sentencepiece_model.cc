#include "quant/text/sentencepiece_model.h"

#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "quant/format/model_error.h"
#include "quant/text/unicode.h"

namespace sasq {
namespace {

// A field on the wire (https://protobuf.dev/programming-guides/encoding).
struct Field {
  enum Type { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };
  uint64_t number = 0;
  uint64_t type = 0;
  uint64_t value = 0;       // kVarint and kFixed32
  absl::string_view bytes;  // kBytes

  bool Is(uint64_t wanted_number, Type wanted_type) const {
    return number == wanted_number && type == wanted_type;
  }
};

// Reads the fields of one message from left to right.
class WireReader {
 public:
  explicit WireReader(absl::string_view message) : rest_(message) {}

  // The next field; nothing at the end or where the message is malformed.
  std::optional<Field> Next() {
    Field field;
    if (rest_.empty() || failed_) return std::nullopt;
    const uint64_t key = Varint();
    field.number = key >> 3;
    field.type = key & 7;
    if (field.type == Field::kVarint) {
      field.value = Varint();
    } else if (field.type == Field::kBytes) {
      field.bytes = Take(Varint());
    } else if (field.type == Field::kFixed32) {
      const absl::string_view bytes = Take(4);
      for (size_t i = bytes.size(); i-- > 0;) {
        field.value = field.value << 8 | static_cast<unsigned char>(bytes[i]);
      }
    } else if (field.type == Field::kFixed64) {
      Take(8);
    } else {
      failed_ = true;
    }
    if (failed_) return std::nullopt;
    return field;
  }

  bool failed() const { return failed_; }

 private:
  uint64_t Varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const absl::string_view byte = Take(1);
      if (failed_) return 0;
      value |= static_cast<uint64_t>(byte[0] & 0x7f) << shift;
      if ((byte[0] & 0x80) == 0) return value;
    }
    failed_ = true;
    return 0;
  }

  absl::string_view Take(uint64_t count) {
    if (count > rest_.size()) {
      failed_ = true;
      return "";
    }
    const absl::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }

  absl::string_view rest_;
  bool failed_ = false;
};

bool ReadPiece(absl::string_view message, SentencePieceModel::Piece* piece) {
  WireReader reader(message);
  while (const std::optional<Field> field = reader.Next()) {
    if (field->Is(1, Field::kBytes)) piece->text = std::string(field->bytes);
    if (field->Is(2, Field::kFixed32)) {
      const auto bits = static_cast<uint32_t>(field->value);
      std::memcpy(&piece->score, &bits, sizeof(piece->score));
    }
    if (field->Is(3, Field::kVarint)) {
      if (field->value < 1 || field->value > 6) return false;
      piece->type = static_cast<SentencePieceModel::PieceType>(field->value);
    }
  }
  return !reader.failed() && !piece->text.empty() && !FindInvalidUtf8(piece->text);
}

bool ReadTrainerSpec(absl::string_view message, SentencePieceModel* model) {
  WireReader reader(message);
  while (const std::optional<Field> field = reader.Next()) {
    if (field->Is(3, Field::kVarint)) {
      if (field->value < 1 || field->value > 4) return false;
      model->kind = static_cast<SentencePieceModel::Kind>(field->value);
    }
    if (field->Is(24, Field::kVarint)) model->treat_whitespace_as_suffix = field->value != 0;
    if (field->Is(35, Field::kVarint)) model->byte_fallback = field->value != 0;
  }
  return !reader.failed();
}

bool ReadNormalizerSpec(absl::string_view message, SentencePieceModel* model) {
  WireReader reader(message);
  while (const std::optional<Field> field = reader.Next()) {
    if (field->Is(2, Field::kBytes)) model->precompiled_charsmap = std::string(field->bytes);
    if (field->Is(3, Field::kVarint)) model->add_dummy_prefix = field->value != 0;
    if (field->Is(4, Field::kVarint)) model->remove_extra_whitespaces = field->value != 0;
    if (field->Is(5, Field::kVarint)) model->escape_whitespaces = field->value != 0;
  }
  return !reader.failed();
}

}  // namespace

absl::StatusOr<SentencePieceModel> ParseSentencePieceModel(absl::string_view bytes) {
  SentencePieceModel model;
  WireReader reader(bytes);
  bool is_sound = true;
  bool has_trainer_spec = false;
  bool has_normalizer_spec = false;
  while (const std::optional<Field> field = reader.Next()) {
    if (field->Is(1, Field::kBytes)) {
      is_sound = is_sound && ReadPiece(field->bytes, &model.pieces.emplace_back());
    } else if (field->Is(2, Field::kBytes)) {
      has_trainer_spec = true;
      is_sound = is_sound && ReadTrainerSpec(field->bytes, &model);
    } else if (field->Is(3, Field::kBytes)) {
      has_normalizer_spec = true;
      is_sound = is_sound && ReadNormalizerSpec(field->bytes, &model);
    }
  }
  // The trainer writes both specs behind the pieces: without them the file was cut.
  if (!is_sound || reader.failed() || !has_trainer_spec || !has_normalizer_spec) {
    return InvalidModel("is not a SentencePiece model, or is damaged");
  }
  return model;
}

}  // namespace sasq
