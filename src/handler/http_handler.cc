// As many threads as there may be requests in flight, each with a connection of its own: a thread
// that waits for a reply costs nothing, and they are started only when requests come.
#include "handler/http_handler.h"

#include <utility>

#include "base/retry.h"
#include "handler/worker_queue.h"

namespace millrace::handler {
namespace {

// What a store could not do is not mended by asking the model again.
Error fatal(Error error) {
  if (error.code == Code::kUnavailable) error.code = Code::kInternal;
  return error;
}

class HttpHandler final : public InferenceHandler {
 public:
  HttpHandler(HttpHandlerOptions options, std::unique_ptr<HttpClient> client,
              const ExecutionParameters& parameters);
  ~HttpHandler() override { queue_.stop(); }

  const HandlerTraits& traits() const override { return traits_; }
  std::future<Result<InvokeReply>> invoke(InvokeRequest request) override {
    return queue_.submit(std::move(request));
  }
  Status stream(const StreamRequest& request) override;
  std::optional<std::chrono::steady_clock::time_point> first_inference() const override {
    return queue_.first_inference();
  }

 private:
  void work();
  Result<InvokeReply> answer(const InvokeRequest& request);
  HttpRequest http_request(std::vector<HeaderField> headers) const;

  const HttpHandlerOptions options_;
  const std::string url_;
  const bool direct_;
  const std::unique_ptr<HttpClient> client_;
  HandlerTraits traits_;
  Retrying retrying_;
  WorkerQueue queue_;
};

HttpHandler::HttpHandler(HttpHandlerOptions options, std::unique_ptr<HttpClient> client,
                         const ExecutionParameters& parameters)
    : options_(std::move(options)),
      url_(options_.endpoint.url + "/invocations"),
      direct_(options_.endpoint.direct || is_loopback(url_)),
      client_(std::move(client)),
      queue_(options_.max_concurrent_transforms.value_or(
                 parameters.max_concurrent_transforms.value_or(1)),
             [this](int) { work(); }) {
  traits_.max_concurrent_transforms = parameters.max_concurrent_transforms;
  traits_.max_payload_in_mb = parameters.max_payload_in_mb;
  traits_.batch_strategy = parameters.batch_strategy;
  traits_.streams = options_.chunked;
  retrying_.policy.attempts = 1 + options_.invocation_retries;
}

void HttpHandler::work() {
  while (std::optional<WorkerQueue::Invocation> invocation = queue_.next()) {
    invocation->answer(answer(invocation->request));
  }
}

HttpRequest HttpHandler::http_request(std::vector<HeaderField> headers) const {
  HttpRequest http;
  http.method = "POST";
  http.url = url_;
  http.headers = std::move(headers);
  http.timeout = options_.invocation_timeout;
  http.idle_timeout = options_.invocation_timeout;  // a model may think as long as that
  http.reply_bytes_max = limits::kReplyBytesMax;
  http.direct = direct_;
  http.chunked = options_.chunked;
  http.accept_gzip = true;
  return http;
}

Result<InvokeReply> HttpHandler::answer(const InvokeRequest& request) {
  HttpRequest http =
      http_request(invocation_headers(request.content_type, request.accept, request.object_name));
  http.body = request.body;
  auto reply = retry(retrying_, request.cancel, [&]() -> Result<InvokeReply> {
    auto sent = client_->send(http, request.cancel);
    if (sent) return read_invocation_reply(std::move(*sent));
    if (sent.error().code == Code::kCancelled) return fail(std::move(sent).error());
    MR_TRY(options_.endpoint.ended());
    return fail(std::move(sent).error().within("Unable to get response from algorithm"));
  });
  // Only a 4xx says something about the records.
  if (!reply && reply.error().code == Code::kUnavailable) reply.error().code = Code::kInternal;
  return reply;
}

// The time that an answer may take is here that between two bytes: a stream may be endless.
Status HttpHandler::stream(const StreamRequest& request) {
  queue_.note_inference();
  HttpRequest http =
      http_request(invocation_headers(request.content_type, request.accept, request.object_name));
  http.timeout = std::chrono::milliseconds(0);
  http.fresh_connection = true;  // one that was closed meanwhile would take a part of the body
  Status ours;                   // why one of the request's functions failed
  const auto noted = [&](auto result) {
    if (!result) ours = fail(result.error());
    return result;
  };
  http.source = [&](std::span<char> buffer) { return noted(request.read(buffer)); };
  http.sink = [&](std::string_view bytes) { return noted(request.write(bytes)); };
  Status sent = retry(retrying_, request.cancel, [&]() -> Status {
    MR_TRY(request.begin());
    auto reply = client_->send(http, request.cancel);
    if (!ours) return fail(fatal(ours.error()));
    if (reply) {
      MR_TRY(read_invocation_reply(std::move(*reply)));
      return {};
    }
    if (reply.error().code == Code::kCancelled) return fail(std::move(reply).error());
    MR_TRY(options_.endpoint.ended());
    return fail(std::move(reply).error().within("Unable to get response from algorithm"));
  });
  // Only a 4xx says something about the records.
  if (!sent && sent.error().code == Code::kUnavailable) sent.error().code = Code::kInternal;
  return sent;
}

}  // namespace

Result<std::unique_ptr<InferenceHandler>> make_http_handler(HttpHandlerOptions options,
                                                            const CancelToken& cancel) {
  auto client = std::make_unique<HttpClient>();
  MR_TRY(wait_until_ready(*client, options.endpoint, cancel));
  MR_ASSIGN(const ExecutionParameters parameters,
            fetch_execution_parameters(*client, options.endpoint, cancel));
  return std::make_unique<HttpHandler>(std::move(options), std::move(client), parameters);
}

}  // namespace millrace::handler
