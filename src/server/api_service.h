// Everything behind the port of `millrace serve`: who calls, what is asked for, which part answers,
// and a line in the log about it.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "jobs/job_service.h"
#include "server/access_keys.h"
#include "server/api_backend.h"
#include "server/api_metrics.h"
#include "server/http_server.h"
#include "server/request_auth.h"
#include "server/request_ids.h"
#include "server/service_log.h"
#include "server/worker_pool.h"

namespace millrace::server {

struct ApiServiceOptions {
  std::string region = "us-east-1";
  std::string account = "000000000000";
  // nullptr: everybody may call (loopback only; the command sees to that).
  const AccessKeyFile* keys = nullptr;
  Clock* clock = &real_clock();
};

class ApiService {
 public:
  // All outlive the service.
  ApiService(jobs::JobService& jobs, ServiceLog& log, ApiServiceOptions options);

  // A ServerHandler: never waits.
  void handle(ServerRequest request, Answer answer);
  // ServerOptions::early_reply and ::refusal.
  std::optional<ServerReply> early_reply(const ServerRequest& head);
  ServerReply refusal(int status, const std::string& why);
  // What /metrics tells of the server; set before it runs.
  void set_http_counters(std::function<ServerCounters()> counters);
  // Answers what waits. Every answer is given before it returns.
  void stop();

 private:
  struct Call;
  using CallPtr = std::shared_ptr<Call>;

  void route(const CallPtr& call);
  void json_call(const CallPtr& call, std::string_view target);
  void query_call(const CallPtr& call, const std::string& action);
  void rest_call(const CallPtr& call);
  void run_operation(const CallPtr& call, const OperationEntry& entry, const struct Shape& shape);
  void in_worker(const CallPtr& call, std::function<void()> work);
  bool authenticated(const CallPtr& call, std::string_view service, bool has_target);
  void monitoring(const CallPtr& call);

  void reply_json(const CallPtr& call, ApiResult<std::string> body);
  void reply_plain(const CallPtr& call, int status, std::string text);
  void finish(const CallPtr& call, ServerReply reply, std::string_view code);

  jobs::JobService& jobs_;
  ServiceLog& log_;
  const ApiServiceOptions options_;
  ApiBackend backend_;
  ApiMetrics metrics_;
  SigningKeys signing_keys_;
  RequestIds ids_;
  std::function<ServerCounters()> http_counters_ = [] { return ServerCounters(); };
  WorkerPool workers_;  // last: its threads use the others
};

}  // namespace millrace::server
