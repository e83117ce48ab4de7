// Errors are values: a code for what the caller can do about it, and a message for the person who
// reads it. As many codes as callers have reactions, no more.
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace millrace {

enum class Code {
  kInvalidArgument,  // the request itself is wrong: refuse it before work starts
  kNotFound,         // the named thing does not exist
  kAlreadyExists,    // the name is taken
  kBadInput,         // this record or object is wrong; the job goes on with the others
  kUnavailable,      // may work later: the only code that is retried
  kCancelled,        // somebody asked us to stop
  kCorruption,       // stored bytes are not what was written
  kInternal,         // an operating error that fits none of the above (disk full, refused, ...)
};

std::string_view code_name(Code code);

struct Error {
  Code code = Code::kInternal;
  std::string message;

  // The same error, told by the caller one level up: "what: message".
  Error within(std::string_view what) const&;
  Error within(std::string_view what) &&;
};

Error invalid_argument(std::string message);
Error not_found(std::string message);
Error already_exists(std::string message);
Error bad_input(std::string message);
Error unavailable(std::string message);
Error cancelled(std::string message);
Error corruption(std::string message);
Error internal_error(std::string message);

// The one place where errno becomes an Error: "what: No space left on device".
Error errno_error(std::string_view what, int error_number);

}  // namespace millrace
