#include "base/error.h"

#include <cerrno>
#include <system_error>

namespace millrace {

std::string_view code_name(Code code) {
  switch (code) {
    case Code::kInvalidArgument:
      return "invalid_argument";
    case Code::kNotFound:
      return "not_found";
    case Code::kAlreadyExists:
      return "already_exists";
    case Code::kBadInput:
      return "bad_input";
    case Code::kUnavailable:
      return "unavailable";
    case Code::kCancelled:
      return "cancelled";
    case Code::kCorruption:
      return "corruption";
    case Code::kInternal:
      return "internal";
  }
  return "unknown";
}

Error Error::within(std::string_view what) const& {
  return Error{code, message}.within(what);
}

Error Error::within(std::string_view what) && {
  std::string told(what);
  told += ": ";
  told += message;
  return Error{code, std::move(told)};
}

Error invalid_argument(std::string message) {
  return {Code::kInvalidArgument, std::move(message)};
}
Error not_found(std::string message) {
  return {Code::kNotFound, std::move(message)};
}
Error already_exists(std::string message) {
  return {Code::kAlreadyExists, std::move(message)};
}
Error bad_input(std::string message) {
  return {Code::kBadInput, std::move(message)};
}
Error unavailable(std::string message) {
  return {Code::kUnavailable, std::move(message)};
}
Error cancelled(std::string message) {
  return {Code::kCancelled, std::move(message)};
}
Error corruption(std::string message) {
  return {Code::kCorruption, std::move(message)};
}
Error internal_error(std::string message) {
  return {Code::kInternal, std::move(message)};
}

namespace {
Code code_of_errno(int error_number) {
  switch (error_number) {
    case ENOENT:
    case ENOTDIR:
      return Code::kNotFound;
    case EEXIST:
      return Code::kAlreadyExists;
    default:
      return Code::kInternal;
  }
}
}  // namespace

Error errno_error(std::string_view what, int error_number) {
  std::string message(what);
  message += ": ";
  message += std::generic_category().message(error_number);
  return {code_of_errno(error_number), std::move(message)};
}

}  // namespace millrace
