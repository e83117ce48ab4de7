#include "server/model_service.h"

#include <utility>

namespace millrace::server {
namespace {

// So that MaxConcurrentTransforms x MaxPayloadInMB stays within SageMaker's 100.
static_assert(limits::kServedTransforms * limits::kDefaultPayloadBytes <= limits::kPayloadBytesMax);

ServerReply execution_parameters() {
  return {200,
          "application/json",
          "{\"MaxConcurrentTransforms\":" + std::to_string(limits::kServedTransforms) +
              ",\"BatchStrategy\":\"MULTI_RECORD\",\"MaxPayloadInMB\":" +
              std::to_string(limits::kDefaultPayloadBytes / limits::kMiB) + "}",
          {}};
}

ServerReply plain(int status, std::string text) {
  text += '\n';
  return {status, "text/plain", std::move(text), {}};
}

int status_of(Code code) {
  switch (code) {
    case Code::kBadInput:
    case Code::kInvalidArgument:
      return 400;
    case Code::kUnavailable:
    case Code::kCancelled:
      return 503;
    default:
      return 500;
  }
}

handler::InvokeRequest invocation(ServerRequest request) {
  handler::InvokeRequest out;
  out.content_type = std::string(request.header("content-type"));
  out.accept = std::string(request.header("accept"));
  out.object_name = std::string(request.header("x-amzn-sagemaker-input-object"));
  out.body = std::move(request.body);
  return out;
}

}  // namespace

ServerReply reply_of(Result<handler::InvokeReply> outcome) {
  if (!outcome) return plain(status_of(outcome.error().code), std::move(outcome.error().message));
  if (!outcome->errors.empty()) {
    const handler::RecordError& first = outcome->errors.front();
    return plain(400, "record " + std::to_string(first.record + 1) + ": " + first.message);
  }
  return {200, std::move(outcome->content_type), std::move(outcome->body), {}};
}

ModelService::ModelService(handler::InferenceHandler& handler) : handler_(handler) {
  for (size_t i = 0; i < limits::kServedTransforms; ++i) {
    workers_.emplace_back([this] { work(); });
  }
}

ModelService::~ModelService() {
  stop();
}

void ModelService::handle(ServerRequest request, Answer answer) {
  const bool get = request.method == "GET";
  if (request.path == "/ping") return answer(get ? ServerReply() : plain(405, "use GET"));
  if (request.path == "/execution-parameters") {
    return answer(get ? execution_parameters() : plain(405, "use GET"));
  }
  if (request.path != "/invocations") {
    return answer(plain(404, "there are /ping, /execution-parameters and /invocations"));
  }
  if (request.method != "POST") return answer(plain(405, "use POST"));
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back({std::move(request), std::move(answer)});
  }
  work_.notify_one();
}

void ModelService::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_.notify_all();
  for (std::thread& worker : workers_) worker.join();
  workers_.clear();
  for (Waiting& waiting : waiting_) waiting.answer(plain(503, "the server is stopping"));
  waiting_.clear();
}

void ModelService::work() {
  for (;;) {
    std::unique_lock lock(mutex_);
    work_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (stopping_) return;
    Waiting next = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    next.answer(reply_of(handler_.invoke(invocation(std::move(next.request))).get()));
  }
}

}  // namespace millrace::server
