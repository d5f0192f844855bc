#include "quant/train/training_checkpoint.h"

#include <bit>
#include <cstring>
#include <type_traits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/sha256.h"
#include "common/status_macros.h"

namespace sasq {
namespace {

static_assert(std::endian::native == std::endian::little);
static_assert(std::is_trivially_copyable_v<TrainingStep> && sizeof(TrainingStep) == 5 * 8,
              "no padding: its bytes are part of the format");

constexpr absl::string_view kMagic = "SASQTRN2";
constexpr size_t kChecksumLength = 32;  // hexadecimal digits

class Writer {
 public:
  template <typename T>
  void Add(const T* items, size_t count) {
    const uint64_t length = count;
    bytes_.append(reinterpret_cast<const char*>(&length), sizeof(length));
    if (count > 0) bytes_.append(reinterpret_cast<const char*>(items), count * sizeof(T));
  }
  std::string Finish() && {
    bytes_.append(Sha256Hex(bytes_), 0, kChecksumLength);
    return std::move(bytes_);
  }

 private:
  std::string bytes_{kMagic};
};

class Reader {
 public:
  explicit Reader(absl::string_view bytes) : rest_(bytes) {}

  // False, leaving `items` as it is, if the bytes end too soon.
  template <typename Items>
  bool Read(Items& items) {
    using Item = typename Items::value_type;
    uint64_t length;
    if (rest_.size() < sizeof(length)) return false;
    std::memcpy(&length, rest_.data(), sizeof(length));
    rest_.remove_prefix(sizeof(length));
    if (length > rest_.size() / sizeof(Item)) return false;
    items.resize(length);
    if (length > 0) std::memcpy(items.data(), rest_.data(), length * sizeof(Item));
    rest_.remove_prefix(length * sizeof(Item));
    return true;
  }
  bool at_end() const { return rest_.empty(); }

 private:
  absl::string_view rest_;
};

absl::Status Damaged(absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("the training checkpoint is damaged: ", what, "; start without it"));
}

}  // namespace

std::string SerializeTrainingState(const TrainingState& state) {
  Writer writer;
  writer.Add(state.fingerprint.data(), state.fingerprint.size());
  writer.Add(state.theta.data(), state.theta.size());
  writer.Add(state.moments.first.data(), state.moments.first.size());
  writer.Add(state.moments.second.data(), state.moments.second.size());
  writer.Add(state.gradient_squares.data(), state.gradient_squares.size());
  writer.Add(state.previous_theta.data(), state.previous_theta.size());
  writer.Add(state.history.data(), state.history.size());
  return std::move(writer).Finish();
}

absl::StatusOr<TrainingState> ParseTrainingState(absl::string_view bytes) {
  if (bytes.size() < kMagic.size() + kChecksumLength || bytes.substr(0, kMagic.size()) != kMagic) {
    return Damaged("it does not begin with SASQTRN2");
  }
  const absl::string_view content = bytes.substr(0, bytes.size() - kChecksumLength);
  if (absl::string_view(Sha256Hex(content)).substr(0, kChecksumLength) !=
      bytes.substr(content.size())) {
    return Damaged("its checksum does not match");
  }
  TrainingState state;
  Reader reader(content.substr(kMagic.size()));
  if (!reader.Read(state.fingerprint) || !reader.Read(state.theta) ||
      !reader.Read(state.moments.first) || !reader.Read(state.moments.second) ||
      !reader.Read(state.gradient_squares) || !reader.Read(state.previous_theta) ||
      !reader.Read(state.history) || !reader.at_end()) {
    return Damaged("its lengths do not add up");
  }
  const size_t size = state.theta.size();
  if (state.moments.first.size() != size || state.moments.second.size() != size ||
      state.gradient_squares.size() != size || state.previous_theta.size() != size) {
    return Damaged("its vectors differ in length");
  }
  return state;
}

}  // namespace sasq
