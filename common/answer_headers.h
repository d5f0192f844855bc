// What the coordinator says of itself in the initial metadata of every answer, also of an error.
#ifndef SASQ_COMMON_ANSWER_HEADERS_H_
#define SASQ_COMMON_ANSWER_HEADERS_H_

namespace sasq {

// Version of its program.
inline constexpr char kVersionHeader[] = "sasq-version";
// Its clock, in whole seconds: the IMF-fixdate of RFC 9110, section 5.6.7.
inline constexpr char kDateHeader[] = "date";
// Names the call in the server's log: what the caller sent in metadata of this name (1..128 bytes
// of A-Z a-z 0-9 . _ : -), or else 32 hexadecimal digits.
inline constexpr char kRequestIdHeader[] = "x-request-id";
// Of the date, for absl::FormatTime and absl::ParseTime, in UTC.
inline constexpr char kDateHeaderFormat[] = "%a, %d %b %Y %H:%M:%S GMT";

}  // namespace sasq

#endif  // SASQ_COMMON_ANSWER_HEADERS_H_
