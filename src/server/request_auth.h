// Who calls? AWS Signature Version 4 checked as AWS checks it, with its errors in its words. A pure
// function of the request, the keys and the time.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/sigv4.h"
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

// The signing keys of the day, each derived once: that is most of what a signature costs.
// Thread-safe.
class SigningKeys {
 public:
  Sha256Digest find(const std::string& secret_key, const SigV4Scope& scope);

 private:
  std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, Sha256Digest> keys_;  // by secret key and scope
};

// The access key. Errors carry the JSON protocols' codes: MissingAuthenticationTokenException,
// IncompleteSignatureException, UnrecognizedClientException, InvalidSignatureException. A signature
// is good for 15 minutes around its date, as often as it is sent, as on AWS.
ApiResult<std::string> authenticate(const ServerRequest& request, const AccessKeys& keys,
                                    const AuthExpectation& expected, WallTime now,
                                    SigningKeys* signing_keys);

}  // namespace millrace::server
