// Result<T>: a value or an Error. MR_TRY passes an error up; MR_ASSIGN takes the value out.
#pragma once

#include <tl/expected.hpp>

#include "base/error.h"

namespace millrace {

template <class T>
using Result = tl::expected<T, Error>;

// What a step answers that yields nothing but success or failure.
using Status = Result<void>;

inline tl::unexpected<Error> fail(Error error) {
  return tl::unexpected<Error>(std::move(error));
}

}  // namespace millrace

#define MR_CONCAT_INNER(a, b) a##b
#define MR_CONCAT(a, b) MR_CONCAT_INNER(a, b)

// MR_TRY(step()): returns the step's error from the enclosing function, if it has one.
#define MR_TRY(expression)                                                 \
  do {                                                                     \
    auto mr_status = (expression);                                         \
    if (!mr_status) return ::millrace::fail(std::move(mr_status).error()); \
  } while (false)

// MR_ASSIGN(auto x, make_x()): declares or assigns x, or returns the error.
#define MR_ASSIGN(target, expression) \
  MR_ASSIGN_INNER(MR_CONCAT(mr_result_, __LINE__), target, expression)
#define MR_ASSIGN_INNER(temporary, target, expression)                   \
  auto temporary = (expression);                                         \
  if (!temporary) return ::millrace::fail(std::move(temporary).error()); \
  target = std::move(*temporary)
