// An error as AWS's protocols tell it: an HTTP status, a code and a message.
#pragma once

#include <string>
#include <utility>

#include "base/result.h"

namespace millrace::server {

struct ApiError {
  int status = 400;
  std::string code;  // "ValidationException"
  std::string message;
};

template <class T>
using ApiResult = tl::expected<T, ApiError>;

inline tl::unexpected<ApiError> api_fail(int status, std::string code, std::string message) {
  return tl::unexpected<ApiError>(ApiError{status, std::move(code), std::move(message)});
}

inline ApiError validation_error(std::string message) {
  return {400, "ValidationException", std::move(message)};
}

inline tl::unexpected<ApiError> validation_fail(std::string message) {
  return tl::unexpected<ApiError>(validation_error(std::move(message)));
}

// What a client is told of an error of ours; `taken` is the code for a name that is in use.
ApiError api_error_of(Error error, std::string taken);

}  // namespace millrace::server
