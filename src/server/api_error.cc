#include "server/api_error.h"

namespace millrace::server {

// SageMaker says ValidationException of almost everything a client can mend, unknown names
// included; its waiters rely on that.
ApiError api_error_of(Error error, std::string taken) {
  switch (error.code) {
    case Code::kAlreadyExists:
      return {400, std::move(taken), std::move(error.message)};
    case Code::kInvalidArgument:
    case Code::kNotFound:
    case Code::kBadInput:
      return validation_error(std::move(error.message));
    case Code::kUnavailable:
    case Code::kCancelled:
      return {503, "ServiceUnavailable", std::move(error.message)};
    case Code::kCorruption:
    case Code::kInternal:
      break;
  }
  return {500, "InternalFailure", std::move(error.message)};
}

}  // namespace millrace::server
