#include "handler/http_endpoint.h"

#include <algorithm>

#include "base/clock.h"
#include "base/uri.h"

namespace millrace::handler {
namespace {

using std::chrono::milliseconds;

HttpRequest get(const HttpEndpoint& endpoint, std::string_view path, int64_t timeout_ms) {
  HttpRequest request;
  request.url = endpoint.url + std::string(path);
  request.timeout = milliseconds(timeout_ms);
  request.connect_timeout = milliseconds(timeout_ms);
  request.reply_bytes_max = limits::kModelServerTextBytesMax;
  request.direct = endpoint.direct || is_loopback(endpoint.url);
  return request;
}

// "" when it answered 200, else why not.
Result<std::string> ping(HttpClient& client, const HttpEndpoint& endpoint,
                         const CancelToken& cancel) {
  HttpRequest request = get(endpoint, "/ping", limits::kPingRequestMs);
  request.sink = [](std::string_view) { return Status(); };  // of the answer only the status counts
  const auto reply = client.send(request, cancel);
  if (reply) return reply->status == 200 ? "" : "it answered " + std::to_string(reply->status);
  const Error& error = reply.error();
  if (error.code == Code::kCancelled || error.code == Code::kInvalidArgument) return fail(error);
  return error.message;
}

}  // namespace

bool is_loopback(const std::string& url) {
  const auto parsed = parse_endpoint_url(url);
  return parsed && (parsed->host == "localhost" || parsed->host == "[::1]" ||
                    parsed->host.starts_with("127."));
}

Status wait_until_ready(HttpClient& client, const HttpEndpoint& endpoint,
                        const CancelToken& cancel) {
  const auto deadline = std::chrono::steady_clock::now() + endpoint.ping_timeout;
  const std::string limit = std::to_string(endpoint.ping_timeout.count()) + " s";
  milliseconds wait(limits::kPingFirstDelayMs);
  bool told = false;
  for (;;) {
    MR_TRY(endpoint.alive());
    MR_ASSIGN(const std::string why, ping(client, endpoint, cancel));
    if (why.empty()) return {};
    if (std::chrono::steady_clock::now() + wait >= deadline) {
      return fail(unavailable(endpoint.url + ": the model failed to respond to /ping with HTTP " +
                              "200 within " + limit + "; the last try: " + why));
    }
    if (!told && wait.count() >= limits::kPingDelayMs) {
      endpoint.notice("waiting up to " + limit + " for the model to answer /ping: " + why);
      told = true;
    }
    if (!real_clock().sleep(wait, cancel)) return fail(cancelled("stopped"));
    wait = std::min(wait * 2, milliseconds(limits::kPingDelayMs));
  }
}

Result<ExecutionParameters> fetch_execution_parameters(HttpClient& client,
                                                       const HttpEndpoint& endpoint,
                                                       const CancelToken& cancel) {
  const auto reply =
      client.send(get(endpoint, "/execution-parameters", limits::kExecutionParametersMs), cancel);
  if (!reply && reply.error().code == Code::kInternal) {  // an answer, if a page of some server
    endpoint.notice(endpoint.url + "/execution-parameters: " + reply.error().message + "; ignored");
    return ExecutionParameters{};
  }
  if (!reply) return fail(reply.error());
  if (reply->status != 200) return ExecutionParameters{};
  ExecutionParameters parameters = parse_execution_parameters(reply->body);
  for (const std::string& what : parameters.ignored) {
    endpoint.notice(endpoint.url + "/execution-parameters: " + what + "; ignored");
  }
  return parameters;
}

}  // namespace millrace::handler
