// As many threads as there may be requests in flight, each with a connection of its own: a thread
// that waits for a reply costs nothing, and they are started only when requests come.
#include "handler/http_handler.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "base/retry.h"

namespace millrace::handler {
namespace {

using std::chrono::steady_clock;

struct Invocation {
  InvokeRequest request;
  std::promise<Result<InvokeReply>> reply;
};

// What a store could not do is not mended by asking the model again.
Error fatal(Error error) {
  if (error.code == Code::kUnavailable) error.code = Code::kInternal;
  return error;
}

class HttpHandler final : public InferenceHandler {
 public:
  HttpHandler(HttpHandlerOptions options, std::unique_ptr<HttpClient> client,
              const ExecutionParameters& parameters);
  ~HttpHandler() override;

  const HandlerTraits& traits() const override { return traits_; }
  std::future<Result<InvokeReply>> invoke(InvokeRequest request) override;
  Status stream(const StreamRequest& request) override;
  std::optional<steady_clock::time_point> first_inference() const override;

 private:
  void work();
  std::optional<Invocation> next();
  void start_worker();  // REQUIRES: mutex_ is held
  Result<InvokeReply> answer(const InvokeRequest& request);
  HttpRequest http_request(std::vector<HeaderField> headers) const;

  const HttpHandlerOptions options_;
  const std::string url_;
  const bool direct_;
  const std::unique_ptr<HttpClient> client_;
  HandlerTraits traits_;
  size_t workers_max_ = 1;
  Retrying retrying_;

  mutable std::mutex mutex_;
  std::condition_variable work_;
  std::deque<Invocation> queue_;
  std::vector<std::thread> workers_;
  size_t idle_ = 0;
  bool stopping_ = false;
  std::optional<steady_clock::time_point> first_;
};

HttpHandler::HttpHandler(HttpHandlerOptions options, std::unique_ptr<HttpClient> client,
                         const ExecutionParameters& parameters)
    : options_(std::move(options)),
      url_(options_.endpoint.url + "/invocations"),
      direct_(is_loopback(url_)),
      client_(std::move(client)) {
  traits_.max_concurrent_transforms = parameters.max_concurrent_transforms;
  traits_.max_payload_in_mb = parameters.max_payload_in_mb;
  traits_.batch_strategy = parameters.batch_strategy;
  workers_max_ =
      options_.max_concurrent_transforms.value_or(parameters.max_concurrent_transforms.value_or(1));
  traits_.streams = options_.chunked;
  retrying_.policy.attempts = 1 + options_.invocation_retries;
}

HttpHandler::~HttpHandler() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

std::future<Result<InvokeReply>> HttpHandler::invoke(InvokeRequest request) {
  Invocation invocation{std::move(request), {}};
  auto future = invocation.reply.get_future();
  {
    const std::lock_guard lock(mutex_);
    if (!first_) first_ = steady_clock::now();
    queue_.push_back(std::move(invocation));
    if (queue_.size() > idle_ && workers_.size() < workers_max_) start_worker();
  }
  work_.notify_one();
  return future;
}

std::optional<steady_clock::time_point> HttpHandler::first_inference() const {
  const std::lock_guard lock(mutex_);
  return first_;
}

void HttpHandler::start_worker() {
  try {
    workers_.emplace_back([this] { work(); });
  } catch (const std::system_error& error) {
    if (!workers_.empty()) return;  // those that run do it all
    queue_.back().reply.set_value(
        fail(internal_error(std::string("cannot start a thread: ") + error.what())));
    queue_.pop_back();
  }
}

void HttpHandler::work() {
  while (std::optional<Invocation> invocation = next()) {
    invocation->reply.set_value(answer(invocation->request));
  }
}

std::optional<Invocation> HttpHandler::next() {
  std::unique_lock lock(mutex_);
  ++idle_;
  work_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
  --idle_;
  if (queue_.empty()) return std::nullopt;
  Invocation invocation = std::move(queue_.front());
  queue_.pop_front();
  return invocation;
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
    MR_TRY(options_.endpoint.alive());
    return fail(std::move(sent).error().within("Unable to get response from algorithm"));
  });
  // Only a 4xx says something about the records.
  if (!reply && reply.error().code == Code::kUnavailable) reply.error().code = Code::kInternal;
  return reply;
}

// The time that an answer may take is here that between two bytes: a stream may be endless.
Status HttpHandler::stream(const StreamRequest& request) {
  {
    const std::lock_guard lock(mutex_);
    if (!first_) first_ = steady_clock::now();
  }
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
    MR_TRY(options_.endpoint.alive());
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
