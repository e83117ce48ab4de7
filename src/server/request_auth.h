// Who calls? AWS Signature Version 4 checked as AWS checks it, with its errors in its words. A pure
// function of the request, the keys and the time.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "server/access_keys.h"
#include "server/api_error.h"
#include "server/http_server.h"

namespace millrace::server {

struct AuthExpectation {
  std::string_view service;          // "sagemaker": what the signature must be for
  std::string_view region;           // "us-east-1"
  bool global_service = false;       // us-east-1 is right, too (IAM, STS)
  bool needs_signed_target = false;  // X-Amz-Target decides what is done
};

// The access key. Errors carry the JSON protocols' codes: MissingAuthenticationTokenException,
// IncompleteSignatureException, UnrecognizedClientException, InvalidSignatureException. A signature
// is good for 15 minutes around its date, as often as it is sent, as on AWS.
ApiResult<std::string> authenticate(const ServerRequest& request, const AccessKeys& keys,
                                    const AuthExpectation& expected, WallTime now);

}  // namespace millrace::server
