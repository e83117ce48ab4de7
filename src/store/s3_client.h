// Sends S3 requests: signs them, finds the bucket's region, renews expired credentials, retries
// what may work later, and turns every answer but success into an S3Failure. All of S3 goes through
// the one send().
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "base/http_client.h"
#include "base/retry.h"
#include "store/credentials.h"
#include "store/s3_address.h"
#include "store/s3_request.h"

namespace millrace::store {

// An Error, and what the protocol said about it.
struct S3Failure : Error {
  S3Failure(Error error) : Error(std::move(error)) {}  // NOLINT: meant to convert

  int status = 0;       // 0: no reply
  std::string s3_code;  // "NoSuchUpload", ...
  std::string region;   // where the bucket is, if the reply said so
  // The request may have been carried out, although this is what we know of it.
  bool maybe_done = false;
};

struct S3Reply {
  HttpReply http;
  // An earlier attempt at this request may have been carried out too.
  bool repeated = false;
};

using S3Result = tl::expected<S3Reply, S3Failure>;

// What a reply that is no success means. `what` is "get s3://bucket/key". The one place where S3's
// codes become ours.
S3Failure s3_failure(const std::string& what, const HttpReply& reply, WallTime now);

struct S3ClientOptions {
  S3Address address;
  std::shared_ptr<CredentialsCache> credentials;
  std::shared_ptr<HttpClient> http;
  Retrying retrying;
  CancelToken cancel;  // for everything but clean-up
};

// Safe for use by several threads.
class S3Client {
 public:
  explicit S3Client(S3ClientOptions options)
      : options_(std::move(options)), address_(options_.address) {}

  // `make` is asked for the request before each attempt (a read goes on where it was).
  S3Result send(const std::function<S3Request()>& make, const CancelToken& cancel);
  S3Result send(const S3Request& request, const CancelToken& cancel);
  // For what must be tried although the job is cancelled, but may not hold up its end: fewer
  // attempts, each within limits::kCleanUpTimeoutMs.
  S3Result clean_up(S3Request request);

  const CancelToken& cancel() const { return options_.cancel; }
  Clock& clock() const { return *options_.retrying.clock; }
  // "s3://bucket/key"
  std::string describe(std::string_view key) const;

 private:
  S3Result send_by(const Retrying& how, const std::function<S3Request()>& make,
                   const CancelToken& cancel);
  S3Result attempt(const S3Request& request, const CancelToken& cancel);
  S3Result send_signed(const S3Request& request, const Credentials& credentials,
                       const CancelToken& cancel);
  S3Failure ask_why(S3Failure refused, const S3Request& request, const Credentials& credentials,
                    const CancelToken& cancel);
  HttpRequest sign(const S3Request& request, const Credentials& credentials) const;
  S3Address address() const;
  bool move_to(const std::string& region);

  const S3ClientOptions options_;
  mutable std::mutex mutex_;
  S3Address address_;  // its region follows the bucket
};

}  // namespace millrace::store
