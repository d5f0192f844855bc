// Text for a terminal: cleaning what came from elsewhere, measuring and cutting by columns, and the
// forms in which people read quantities.
#ifndef SASQ_CLIENT_TEXT_H_
#define SASQ_CLIENT_TEXT_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace sasq {

// `text` with everything replaced that could steer a terminal or mislead its reader: control
// characters (C0, DEL, C1), bidirectional overrides and bytes that are not UTF-8 become U+FFFD.
// Line feeds and tabs stay in CleanLines and become spaces in CleanLine.
std::string CleanLine(absl::string_view text);
std::string CleanLines(absl::string_view text);

// Bytes at the end of `text` that begin a UTF-8 character without completing it: 0..3.
size_t IncompleteUtf8Suffix(absl::string_view text);

// Columns that clean UTF-8 text takes: 2 for East Asian wide characters and emoji, 0 for combining
// marks. Terminal escapes (ESC [ ... m) take none.
int DisplayWidth(absl::string_view text);

// Cuts clean text without escapes to at most `columns` columns; the last becomes `~` if it was cut.
std::string TruncateToWidth(absl::string_view text, int columns);

// Pads with spaces to `columns` columns; longer text stays.
std::string PadRight(absl::string_view text, int columns);
std::string PadLeft(absl::string_view text, int columns);

// `4.2s`, `3m12s`, `2h05m`, `3d04h`. Negative durations read as 0s.
std::string DurationText(absl::Duration duration);
// `512 B`, `14.3 MiB`.
std::string BytesText(int64_t bytes);
// `950`, `134.5 M`, `1.23 T`: powers of a thousand.
std::string CountText(double count);
// `17.224`, `1.25e+06`, `inf`.
std::string PerplexityText(double perplexity);

// What DurationText prints and more: a number with units (`90s`, `1h30m`), or a bare number of
// seconds. False if `text` is neither, is negative or infinite.
bool ReadDuration(absl::string_view text, absl::Duration* duration);

}  // namespace sasq

#endif  // SASQ_CLIENT_TEXT_H_
