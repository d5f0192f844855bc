// Expectations on statuses.
#ifndef SASQ_TESTS_QUANT_STATUS_MATCHERS_H_
#define SASQ_TESTS_QUANT_STATUS_MATCHERS_H_

#include <gtest/gtest.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "common/rpc_status.h"

namespace sasq {

// INVALID_ARGUMENT with `reason`, and `part` in the message.
inline ::testing::AssertionResult IsInvalid(const absl::Status& status, absl::string_view reason,
                                            absl::string_view part) {
  if (status.code() == absl::StatusCode::kInvalidArgument && ReasonOf(status) == reason &&
      absl::StrContains(status.message(), part)) {
    return ::testing::AssertionSuccess();
  }
  return ::testing::AssertionFailure()
         << "got " << status << " with reason \"" << ReasonOf(status)
         << "\", want INVALID_ARGUMENT with reason " << reason << " and \"" << part << "\"";
}

template <typename T>
::testing::AssertionResult IsInvalid(const absl::StatusOr<T>& result, absl::string_view reason,
                                     absl::string_view part) {
  return IsInvalid(result.status(), reason, part);
}

}  // namespace sasq

#endif  // SASQ_TESTS_QUANT_STATUS_MATCHERS_H_
