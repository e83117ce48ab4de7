#include "store/s3_client.h"

#include <utility>

#include "base/digest.h"
#include "base/sigv4.h"
#include "store/s3_reply.h"

namespace millrace::store {
namespace {

bool one_of(std::string_view text, std::initializer_list<std::string_view> list) {
  for (const std::string_view candidate : list) {
    if (text == candidate) return true;
  }
  return false;
}

// Answers that another attempt may change, whatever their status.
bool may_pass(int status, std::string_view code) {
  if (one_of(code, {"NotImplemented", "MethodNotAllowed"})) return false;
  return status >= 500 || status == 429 || status == 408 ||
         one_of(code, {"SlowDown", "InternalError", "ServiceUnavailable", "RequestTimeout",
                       "Throttling", "ThrottlingException", "RequestLimitExceeded",
                       "OperationAborted", "ConditionalRequestConflict", "TooManyRequests"});
}

Code code_of(int status, std::string_view code) {
  if (may_pass(status, code)) return Code::kUnavailable;
  if (status == 404) return Code::kNotFound;
  if (status == 412) return Code::kAlreadyExists;  // a read's If-Match is told apart by its caller
  if (status == 401 || status == 403) return Code::kInvalidArgument;
  if (status == 301 || status == 307 || status == 400) return Code::kInvalidArgument;
  return Code::kInternal;
}

std::string clock_advice(const HttpReply& reply, WallTime now) {
  const auto server = parse_http_date(reply.header("date"));
  std::string text = ": this machine's clock is wrong";
  if (server) {
    const auto off = std::chrono::duration_cast<std::chrono::seconds>(now - *server).count();
    text += ", " + std::to_string(off < 0 ? -off : off) + " s " +
            (off < 0 ? "behind" : "ahead of") + " the server's";
  }
  return text;
}

bool is_expired_token(const S3Failure& failure) {
  return one_of(failure.s3_code, {"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"});
}

}  // namespace

S3Failure s3_failure(const std::string& what, const HttpReply& reply, WallTime now) {
  const S3ErrorBody body = parse_error_body(reply.body).value_or(S3ErrorBody{});
  std::string request_id = reply.header("x-amz-request-id");
  if (request_id.empty()) request_id = body.request_id;
  std::string message = what + ": " + std::to_string(reply.status);
  if (!body.code.empty()) message += " " + body.code;
  if (!body.message.empty() && body.message != body.code) message += ": " + body.message;
  if (body.code.empty() && reply.status == 403) message += " access denied";
  if (body.code.empty() && reply.status == 404) message += " no such object or bucket";
  if (body.code == "RequestTimeTooSkewed") message += clock_advice(reply, now);
  if (!request_id.empty()) message += " (request id " + request_id + ")";

  S3Failure failure(Error{code_of(reply.status, body.code), std::move(message)});
  failure.status = reply.status;
  failure.s3_code = body.code;
  failure.region = reply.header("x-amz-bucket-region");
  if (failure.region.empty()) failure.region = body.region;
  failure.maybe_done = reply.status >= 500 || reply.status == 200;
  return failure;
}

std::string S3Client::describe(std::string_view key) const {
  return "s3://" + options_.address.bucket + "/" + std::string(key);
}

S3Address S3Client::address() const {
  const std::lock_guard lock(mutex_);
  return address_;
}

// True where the bucket is elsewhere than we asked.
bool S3Client::move_to(const std::string& region) {
  const std::lock_guard lock(mutex_);
  if (region.empty() || region == address_.region) return false;
  // A host name is made of it.
  if (region.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") != region.npos)
    return false;
  address_.region = region;
  return true;
}

HttpRequest S3Client::sign(const S3Request& request, const Credentials& credentials) const {
  const S3Address where = address();
  const S3Target target = s3_target(where, request.key);
  const std::string time = format_compact_utc(clock().now());

  SigV4Request to_sign;
  to_sign.method = request.method;
  to_sign.path = target.path;
  to_sign.query = query_text(request.query);
  to_sign.payload_sha256 = sha256_hex(request.body);
  to_sign.headers = request.headers;
  to_sign.headers.emplace_back("Host", target.authority);
  to_sign.headers.emplace_back("x-amz-content-sha256", to_sign.payload_sha256);
  to_sign.headers.emplace_back("x-amz-date", time);
  if (!credentials.session_token.empty()) {
    to_sign.headers.emplace_back("x-amz-security-token", credentials.session_token);
  }
  const std::string authorization = sigv4_authorization(
      to_sign, SigV4Path::kAsSent, {credentials.access_key, credentials.secret_key}, time,
      {time.substr(0, 8), where.region, "s3"});

  HttpRequest http;
  http.method = request.method;
  http.url = target.scheme + "://" + target.authority + target.path;
  if (!to_sign.query.empty()) http.url += "?" + to_sign.query;
  http.headers = std::move(to_sign.headers);
  http.headers.emplace_back("Authorization", authorization);
  http.body = request.body;
  http.timeout = request.timeout;
  http.fresh_connection = request.fresh_connection;
  http.sink = request.sink;
  return http;
}

S3Result S3Client::send_signed(const S3Request& request, const Credentials& credentials,
                               const CancelToken& cancel) {
  const std::string what = request.action + " " + describe(request.key);
  auto reply = options_.http->send(sign(request, credentials), cancel);
  if (!reply) {
    S3Failure failure(std::move(reply).error().within(what));
    failure.maybe_done = failure.code != Code::kInvalidArgument;
    return tl::unexpected(std::move(failure));
  }
  const bool ok = reply->status >= 200 && reply->status < 300;
  const auto hidden = ok && request.error_in_200 ? parse_error_body(reply->body) : std::nullopt;
  if (ok && !hidden) return S3Reply{*std::move(reply), false};
  S3Failure failure = s3_failure(what, *reply, clock().now());
  // Which 200 ended in an error that cannot pass? None that S3 documents: try again.
  if (ok && failure.s3_code != "NoSuchUpload") failure.code = Code::kUnavailable;
  return tl::unexpected(std::move(failure));
}

// The reply to a HEAD has no body to say why it was refused: a GET of one byte is asked the same.
S3Failure S3Client::ask_why(S3Failure refused, const S3Request& request,
                            const Credentials& credentials, const CancelToken& cancel) {
  if (request.method != "HEAD" || !refused.s3_code.empty()) return refused;
  if (refused.status != 400 && refused.status != 403) return refused;
  S3Request get = request;
  get.method = "GET";
  get.headers.emplace_back("Range", "bytes=0-0");
  S3Result answer = send_signed(get, credentials, cancel);
  if (answer || answer.error().s3_code.empty()) return refused;
  return std::move(answer).error();
}

// One attempt; a redirection to the bucket's region and expired credentials are part of it.
S3Result S3Client::attempt(const S3Request& request, const CancelToken& cancel) {
  bool renewed = false;
  for (int moves = 0;;) {
    auto credentials = options_.credentials->get(cancel);
    if (!credentials) return tl::unexpected(S3Failure(std::move(credentials).error()));
    S3Result result = send_signed(request, *credentials, cancel);
    if (result) return result;
    result.error() = ask_why(std::move(result).error(), request, *credentials, cancel);
    const S3Failure& failure = result.error();
    const bool elsewhere = failure.status == 301 || failure.status == 307 ||
                           failure.status == 400 || failure.status == 403;
    if (elsewhere && moves < 2 && move_to(failure.region)) {
      ++moves;
    } else if (is_expired_token(failure) && !renewed) {
      renewed = true;
      options_.credentials->forget(*credentials);
    } else {
      return result;
    }
  }
}

S3Result S3Client::send_by(const Retrying& how, const std::function<S3Request()>& make,
                           const CancelToken& cancel) {
  bool repeated = false;
  S3Result result = retry(how, cancel, [&]() -> S3Result {
    S3Result tried = attempt(make(), cancel);
    if (!tried) repeated = repeated || tried.error().maybe_done;
    return tried;
  });
  if (result) {
    result->repeated = repeated;
  } else {
    result.error().maybe_done = repeated;
  }
  return result;
}

S3Result S3Client::send(const std::function<S3Request()>& make, const CancelToken& cancel) {
  return send_by(options_.retrying, make, cancel);
}

S3Result S3Client::send(const S3Request& request, const CancelToken& cancel) {
  return send_by(
      options_.retrying, [&] { return request; }, cancel);
}

S3Result S3Client::clean_up(S3Request request) {
  Retrying how = options_.retrying;
  how.policy.attempts = limits::kCleanUpAttempts;
  request.timeout = std::chrono::milliseconds(limits::kCleanUpTimeoutMs);
  return send_by(
      how, [&] { return request; }, CancelToken());
}

}  // namespace millrace::store
