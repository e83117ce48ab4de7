// A model behind SageMaker's container contract: /ping, /execution-parameters and /invocations,
// answered by any InferenceHandler.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "handler/inference_handler.h"
#include "server/http_server.h"

namespace millrace::server {

class ModelService {
 public:
  // The handler outlives the service.
  explicit ModelService(handler::InferenceHandler& handler);
  // As stop().
  ~ModelService();
  ModelService(const ModelService&) = delete;
  ModelService& operator=(const ModelService&) = delete;

  // A ServerHandler: never waits. Invocations are handed to threads that wait for the model; at
  // most limits::kServedTransforms are with it, and a connection has one request at a time.
  void handle(ServerRequest request, Answer answer);
  // Drops what has not begun and waits for what has. Every answer is given before it returns.
  void stop();

 private:
  struct Waiting {
    ServerRequest request;
    Answer answer;
  };

  void work();

  handler::InferenceHandler& handler_;
  std::mutex mutex_;
  std::condition_variable work_;
  std::deque<Waiting> waiting_;
  bool stopping_ = false;
  std::vector<std::thread> workers_;
};

// What an invocation's outcome is as a reply: 200; 400 with the reason for what the model refuses
// (a record it cannot read is named: one bad record refuses its request); else 500 or 503.
ServerReply reply_of(Result<handler::InvokeReply> outcome);

}  // namespace millrace::server
