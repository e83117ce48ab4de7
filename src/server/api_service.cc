#include "server/api_service.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "base/limits.h"
#include "server/api_shapes.h"
#include "server/api_validation.h"
#include "server/request_auth.h"
#include "server/rest_api.h"
#include "server/xml_replies.h"

namespace millrace::server {
namespace {

using nlohmann::json;

constexpr std::string_view kJsonType = "application/x-amz-json-1.1";
constexpr std::string_view kSageMaker = "SageMaker.";
constexpr std::string_view kLogs = "Logs_20140328.";

bool is_json_type(std::string_view type) {
  type = type.substr(0, type.find(';'));
  return type == kJsonType || type == "application/x-amz-json-1.0" || type == "application/json";
}

std::string names_of(std::span<const Operation> operations) {
  std::string names;
  for (const Operation& operation : operations) {
    if (!names.empty()) names += ", ";
    names += operation.name;
  }
  return names;
}

ApiError unknown_operation(std::string_view prefix, std::span<const Operation> operations) {
  return {400, "UnknownOperationException",
          fmt::format("This server has no such operation of {} It has {}.", prefix,
                      names_of(operations))};
}

// Written once a second.
std::string http_date(WallTime now) {
  static thread_local WallTime second;
  static thread_local std::string text;
  const WallTime this_second = std::chrono::floor<std::chrono::seconds>(now);
  if (text.empty() || this_second != second) {
    second = this_second;
    text = format_http_date(now);
  }
  return text;
}

}  // namespace

// One request on its way to its answer.
struct ApiService::Call {
  ServerRequest request;
  Answer answer;
  std::string id;
  std::string operation = "unknown";  // a name of ours
  std::string caller;                 // the access key
  bool for_logs = false;              // CloudWatch Logs has a name of its own for bad requests
  enum class Form { kJson, kQuery, kRest } form = Form::kJson;
  std::chrono::steady_clock::time_point begin = std::chrono::steady_clock::now();
};

ApiService::ApiService(jobs::JobService& jobs, ServiceLog& log, ApiServiceOptions options)
    : jobs_(jobs),
      log_(log),
      options_(std::move(options)),
      backend_{jobs, options_.region, options_.account,
               [this](std::string_view text) { log_.write(LogLevel::kInfo, text); }},
      workers_(limits::kServiceWorkers, limits::kServiceWaitingMax) {}

void ApiService::set_http_counters(std::function<ServerCounters()> counters) {
  http_counters_ = std::move(counters);
}

void ApiService::stop() {
  workers_.stop();
}

void ApiService::handle(ServerRequest request, Answer answer) {
  const auto call = std::make_shared<Call>();
  call->request = std::move(request);
  call->answer = std::move(answer);
  call->id = ids_.next();
  route(call);
}

// By X-Amz-Target, else by path, else by the form's Action: one port serves SageMaker, Logs, STS
// and IAM.
void ApiService::route(const CallPtr& call) {
  const ServerRequest& request = call->request;
  const std::string_view target = request.header("x-amz-target");
  if (!target.empty()) return json_call(call, target);
  const std::string& path = request.path;
  if (path == "/healthz" || path == "/readyz" || path == "/metrics") return monitoring(call);
  if (is_rest_path(path)) return rest_call(call);
  if (const std::string action = form_value(request.body, "Action");
      request.method == "POST" && !action.empty()) {
    return query_call(call, action);
  }
  if (is_json_type(request.header("content-type")) && request.method == "POST") {
    return reply_json(call, api_fail(400, "UnknownOperationException",
                                     "The request has no X-Amz-Target header."));
  }
  reply_json(call, api_fail(404, "UnknownOperationException",
                            "This is Millrace's SageMaker API: POST with X-Amz-Target, or "
                            "/v1/openapi.json, /healthz, /readyz and /metrics."));
}

bool ApiService::authenticated(const CallPtr& call, std::string_view service, bool has_target) {
  if (options_.keys == nullptr) return true;
  AuthExpectation expected{service, options_.region, call->form == Call::Form::kQuery, has_target};
  auto caller = authenticate(call->request, *options_.keys->current(), expected,
                             options_.clock->now(), &signing_keys_);
  if (caller) {
    call->caller = std::move(*caller);
    return true;
  }
  if (call->form == Call::Form::kQuery) {
    finish(call, query_error(caller.error(), call->id), caller.error().code);
  } else {
    reply_json(call, tl::unexpected(std::move(caller).error()));
  }
  return false;
}

void ApiService::json_call(const CallPtr& call, std::string_view target) {
  const bool logs = target.starts_with(kLogs);
  if (!logs && !target.starts_with(kSageMaker)) {
    return reply_json(call,
                      tl::unexpected(unknown_operation("SageMaker:", sagemaker_operations())));
  }
  const std::string_view name = target.substr(logs ? kLogs.size() : kSageMaker.size());
  const auto operations = logs ? logs_operations() : sagemaker_operations();
  const Shape* const shape = find_operation(operations, name);
  const OperationEntry* const entry = logs ? find_logs_entry(name) : find_sagemaker_entry(name);
  if (shape != nullptr) call->operation = name;
  call->for_logs = logs;
  if (!authenticated(call, logs ? "logs" : "sagemaker", true)) return;
  if (shape == nullptr || entry == nullptr) {
    return reply_json(call, tl::unexpected(unknown_operation(
                                logs ? "CloudWatch Logs:" : "SageMaker:", operations)));
  }
  if (call->request.method != "POST") {
    return reply_json(call, api_fail(405, "MethodNotAllowed", "The API takes POST only."));
  }
  if (!is_json_type(call->request.header("content-type"))) {
    return reply_json(call, api_fail(415, "UnsupportedMediaTypeException",
                                     "The Content-Type must be application/x-amz-json-1.1."));
  }
  run_operation(call, *entry, *shape);
}

void ApiService::run_operation(const CallPtr& call, const OperationEntry& entry,
                               const Shape& shape) {
  const auto parsed = parse_request(call->request.body);
  if (!parsed) return reply_json(call, tl::unexpected(parsed.error()));
  auto checked = check_request(*parsed, shape);
  if (!checked) {
    ApiError error = std::move(checked).error();
    if (call->for_logs && error.code == "ValidationException") {
      error.code = "InvalidParameterException";
    }
    return reply_json(call, tl::unexpected(std::move(error)));
  }
  const auto run = [this, call, &entry, request = std::move(*checked)] {
    reply_json(call, entry.run(backend_, request));
  };
  if (entry.in_memory) return run();
  in_worker(call, run);
}

void ApiService::in_worker(const CallPtr& call, std::function<void()> work) {
  if (workers_.post(std::move(work))) return;
  reply_json(call, api_fail(503, "ServiceUnavailable",
                            "Too many requests wait already, or the server is stopping."));
}

void ApiService::query_call(const CallPtr& call, const std::string& action) {
  call->form = Call::Form::kQuery;
  const bool iam = action == "GetRole";
  if (iam || action == "GetCallerIdentity") call->operation = action;
  if (!authenticated(call, iam ? "iam" : "sts", false)) return;
  const std::string caller = call->caller.empty() ? "anonymous" : call->caller;
  ServerReply reply = query_reply(action, options_.account, caller, call->id);
  const std::string_view code = reply.status == 200   ? ""
                                : reply.status == 403 ? "AccessDenied"
                                                      : "InvalidAction";
  finish(call, std::move(reply), code);
}

void ApiService::rest_call(const CallPtr& call) {
  call->form = Call::Form::kRest;
  call->operation = rest_operation(call->request);
  if (!authenticated(call, "sagemaker", false)) return;
  in_worker(call, [this, call] {
    RestReply reply = rest_reply(backend_, call->request);
    ServerReply out{
        reply.status, reply.body.empty() ? "" : "application/json", std::move(reply.body), {}};
    if (call->request.path == "/v1/openapi.yaml") out.content_type = "application/yaml";
    if (!reply.allow.empty()) out.headers.emplace_back("Allow", reply.allow);
    finish(call, std::move(out), reply.error_code);
  });
}

void ApiService::monitoring(const CallPtr& call) {
  const std::string& path = call->request.path;
  call->form = Call::Form::kRest;
  call->operation = "GET " + path;
  if (call->request.method != "GET" && call->request.method != "HEAD") {
    return reply_plain(call, 405, "use GET\n");
  }
  if (path == "/healthz") return reply_plain(call, 200, "ok\n");
  if (path == "/readyz") {
    const Status ready = jobs_.ready();
    return reply_plain(call, ready ? 200 : 503, ready ? "ready\n" : ready.error().message + "\n");
  }
  in_worker(call, [this, call] {
    finish(call,
           {200,
            "text/plain; version=0.0.4; charset=utf-8",
            metrics_.text(jobs_.counters(), http_counters_()),
            {}},
           "");
  });
}

void ApiService::reply_plain(const CallPtr& call, int status, std::string text) {
  finish(call, {status, "text/plain", std::move(text), {}}, status < 400 ? "" : "Refused");
}

void ApiService::reply_json(const CallPtr& call, ApiResult<std::string> body) {
  const bool rest = call->form == Call::Form::kRest;
  const std::string type(rest ? "application/json" : kJsonType);
  if (body) return finish(call, {200, type, std::move(*body), {}}, "");
  const ApiError& error = body.error();
  ServerReply reply{error.status, type, error_body(error), {}};
  reply.headers.emplace_back("x-amzn-ErrorType", error.code);
  finish(call, std::move(reply), error.code);
}

// Reads that succeed are many and tell nothing: they are logged at level debug only. Of an error
// the code is logged, not the message, which may repeat what the client sent.
void ApiService::finish(const CallPtr& call, ServerReply reply, std::string_view code) {
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - call->begin;
  metrics_.count(call->operation, reply.status, code, took.count());
  const bool quiet = reply.status < 400 && !call->operation.starts_with("Create") &&
                     !call->operation.starts_with("Delete") &&
                     !call->operation.starts_with("Stop") && !call->operation.starts_with("POST");
  const LogLevel level = reply.status >= 500 ? LogLevel::kError
                         : quiet             ? LogLevel::kDebug
                                             : LogLevel::kInfo;
  if (log_.wants(level)) {
    LogFields fields = {{"request_id", call->id},
                        {"operation", call->operation},
                        {"status", std::to_string(reply.status)},
                        {"ms", fmt::format("{:.1f}", took.count() * 1000)},
                        {"peer", call->request.peer}};
    if (!code.empty()) fields.emplace_back("code", code);
    if (!call->caller.empty()) fields.emplace_back("access_key", call->caller);
    log_.write(level, "request", fields);
  }
  reply.headers.emplace_back("x-amzn-RequestId", call->id);
  reply.headers.emplace_back("Date", http_date(options_.clock->now()));
  call->answer(std::move(reply));
}

std::optional<ServerReply> ApiService::early_reply(const ServerRequest& head) {
  if (!is_s3_request(head)) return std::nullopt;
  const std::string id = ids_.next();
  metrics_.count("S3", 400, "InvalidRequest", 0);
  log_.write(LogLevel::kInfo, "a request for S3 reached this server",
             {{"request_id", id}, {"peer", head.peer}});
  return s3_reply(head, id);
}

ServerReply ApiService::refusal(int status, const std::string& why) {
  const std::string id = ids_.next();
  const std::string code = status == 413 ? "RequestEntityTooLargeException" : "BadRequestException";
  metrics_.count("unread", status, code, 0);
  log_.write(LogLevel::kInfo, "refused: " + why, {{"request_id", id}});
  ServerReply reply{status, "application/json", error_body({status, code, why}), {}};
  reply.headers.emplace_back("x-amzn-RequestId", id);
  return reply;
}

}  // namespace millrace::server
