// What the coordinator says of itself in the initial metadata of every answer, also of an error.
#ifndef SASQ_COMMON_ANSWER_HEADERS_H_
#define SASQ_COMMON_ANSWER_HEADERS_H_

namespace sasq {

// Version of its program.
inline constexpr char kVersionHeader[] = "sasq-version";
// Its clock, in whole seconds: the IMF-fixdate of RFC 9110, section 5.6.7.
inline constexpr char kDateHeader[] = "date";
// For absl::FormatTime and absl::ParseTime, in UTC.
inline constexpr char kDateHeaderFormat[] = "%a, %d %b %Y %H:%M:%S GMT";

}  // namespace sasq

#endif  // SASQ_COMMON_ANSWER_HEADERS_H_
