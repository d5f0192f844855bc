// Early return on an absl::Status that is not OK, and the check of our own invariants.
#ifndef SASQ_COMMON_STATUS_MACROS_H_
#define SASQ_COMMON_STATUS_MACROS_H_

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define SASQ_CONCAT_INNER(a, b) a##b
#define SASQ_CONCAT(a, b) SASQ_CONCAT_INNER(a, b)

// Returns from the enclosing function when `expr` (an absl::Status) is not OK.
#define SASQ_RETURN_IF_ERROR(expr)                                \
  do {                                                            \
    if (absl::Status sasq_status_ = (expr); !sasq_status_.ok()) { \
      return sasq_status_;                                        \
    }                                                             \
  } while (false)

// Assigns the value of `expr` (an absl::StatusOr) to `lhs`, or returns its status.
#define SASQ_ASSIGN_OR_RETURN(lhs, expr) \
  SASQ_ASSIGN_OR_RETURN_IMPL(SASQ_CONCAT(sasq_status_or_, __LINE__), lhs, expr)
#define SASQ_ASSIGN_OR_RETURN_IMPL(tmp, lhs, expr) \
  auto tmp = (expr);                               \
  if (!tmp.ok()) return tmp.status();              \
  lhs = std::move(tmp).value()

// Ends the process when one of our own invariants is broken. Never for input or the environment.
#define SASQ_CHECK(condition)                                                                \
  do {                                                                                       \
    if (!(condition)) {                                                                      \
      std::fprintf(stderr, "%s:%d: broken invariant: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                          \
    }                                                                                        \
  } while (false)

#endif  // SASQ_COMMON_STATUS_MACROS_H_
