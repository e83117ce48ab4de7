#include "server/rest_api.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "base/uri.h"
#include "base/utf8.h"
#include "server/job_json.h"

namespace millrace::server {
namespace {

using nlohmann::json;
using Query = std::map<std::string, std::string>;

// The longest NextToken and NameContains, as in the SageMaker API.
constexpr size_t kTokenBytesMax = 8192;
constexpr size_t kNameBytesMax = 63;

RestReply error_reply(const ApiError& error) {
  return {error.status, error_body(error), error.code, {}};
}

RestReply bad_request(std::string message) {
  return error_reply(validation_error(std::move(message)));
}

// Of the job service, with the statuses that HTTP has for them.
RestReply error_reply(Error error) {
  switch (error.code) {
    case Code::kNotFound:
      return error_reply(ApiError{404, "ResourceNotFound", std::move(error.message)});
    case Code::kInvalidArgument:
      return error_reply(ApiError{409, "ConflictException", std::move(error.message)});
    default:
      return error_reply(api_error_of(std::move(error), "ResourceInUse"));
  }
}

RestReply ok(const json& value, int status = 200) {
  return {status, value.dump(-1, ' ', false, json::error_handler_t::replace), {}, {}};
}

// nullopt: not a query of name=value pairs in UTF-8, or a name that is none of `known` or twice.
template <size_t N>
std::optional<Query> parse_query(std::string_view text, const std::array<const char*, N>& known) {
  Query query;
  while (!text.empty()) {
    const std::string_view pair = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(pair.size() + 1, text.size()));
    if (pair.empty()) continue;
    const size_t equals = std::min(pair.find('='), pair.size());
    const auto name = percent_decode(pair.substr(0, equals), true);
    const auto value = percent_decode(pair.substr(std::min(equals + 1, pair.size())), true);
    if (!name || !value || !is_utf8(*value)) return std::nullopt;
    if (value->size() > kTokenBytesMax) return std::nullopt;
    const auto is_name = [&](const char* one) { return *name == one; };
    if (std::none_of(known.begin(), known.end(), is_name)) return std::nullopt;
    if (!query.emplace(*name, *value).second) return std::nullopt;
  }
  return query;
}

// A number from 1 to `max`; `otherwise` where the query has none.
std::optional<size_t> number_in(const Query& query, const char* name, size_t otherwise,
                                size_t max) {
  const auto found = query.find(name);
  if (found == query.end()) return otherwise;
  size_t value = 0;
  const std::string& text = found->second;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 1 || value > max) {
    return std::nullopt;
  }
  return value;
}

std::string text_in(const Query& query, const char* name) {
  const auto found = query.find(name);
  return found == query.end() ? "" : found->second;
}

json job_json(const jobs::JobView& view) {
  json out = job_summary_json(*view.record);
  out["ModelName"] = view.record->model_name;
  out["S3OutputPath"] = view.record->output;
  if (view.record->start_time) out["TransformStartTime"] = *view.record->start_time;
  out["Progress"] = json::parse(progress_text(view.progress));
  return out;
}

RestReply list_jobs(const ApiBackend& backend, const std::string&, const ServerRequest& request) {
  static constexpr std::array kKnown = {"status", "name_contains", "max_results", "next_token"};
  const auto query = parse_query(request.query, kKnown);
  if (!query) return bad_request("The query is malformed or has a parameter that is not known.");
  jobs::ListQuery list;
  const auto results = number_in(*query, "max_results", 10, 100);
  if (!results) return bad_request("max_results must be a number from 1 to 100.");
  list.results_max = *results;
  list.name_contains = text_in(*query, "name_contains");
  if (list.name_contains.size() > kNameBytesMax) {
    return bad_request("name_contains must have at most 63 characters.");
  }
  list.next_token = text_in(*query, "next_token");
  if (const std::string status = text_in(*query, "status"); query->contains("status")) {
    list.status = jobs::parse_job_status(status);
    if (!list.status) return bad_request("status must be a TransformJobStatus.");
  }
  const auto page = backend.jobs.list_transform_jobs(list);
  if (!page) return bad_request(page.error().message);
  json out = {{"Jobs", json::array()}};
  for (const jobs::JobPtr& job : page->records) out["Jobs"].push_back(job_summary_json(*job));
  if (!page->next_token.empty()) out["NextToken"] = page->next_token;
  return ok(out);
}

RestReply show_job(const ApiBackend& backend, const std::string& name, const ServerRequest&) {
  auto view = backend.jobs.describe_transform_job(name);
  return view ? ok(job_json(*view)) : error_reply(std::move(view).error());
}

RestReply delete_job(const ApiBackend& backend, const std::string& name, const ServerRequest&) {
  auto deleted = backend.jobs.delete_transform_job(name);
  return deleted ? RestReply{204, {}, {}, {}} : error_reply(std::move(deleted).error());
}

RestReply changed(const ApiBackend& backend, const std::string& name, Status status) {
  if (!status) return error_reply(std::move(status).error());
  auto view = backend.jobs.describe_transform_job(name);
  return view ? ok(job_json(*view), 202) : error_reply(std::move(view).error());
}

RestReply stop_job(const ApiBackend& backend, const std::string& name, const ServerRequest&) {
  return changed(backend, name, backend.jobs.stop_transform_job(name));
}

RestReply resume_job(const ApiBackend& backend, const std::string& name, const ServerRequest&) {
  return changed(backend, name, backend.jobs.resume_transform_job(name));
}

json object_json(const jobs::ObjectState& object) {
  json out = {
      {"Input", object.input},     {"Records", object.records},
      {"Bytes", object.bytes},     {"FailedRecords", object.failed_records},
      {"Seconds", object.seconds}, {"State", object.error.empty() ? "Completed" : "Failed"}};
  if (!object.output.empty()) out["Output"] = object.output;
  if (!object.error.empty()) out["Error"] = object.error;
  return out;
}

RestReply list_objects(const ApiBackend& backend, const std::string& name,
                       const ServerRequest& request, bool only_failed) {
  static constexpr std::array kKnown = {"max_results", "next_token"};
  const auto query = parse_query(request.query, kKnown);
  if (!query) return bad_request("The query is malformed or has a parameter that is not known.");
  jobs::ObjectQuery wanted;
  const auto results = number_in(*query, "max_results", 100, 1000);
  if (!results) return bad_request("max_results must be a number from 1 to 1000.");
  wanted.results_max = *results;
  wanted.next_token = text_in(*query, "next_token");
  wanted.only_failed = only_failed;
  auto page = backend.jobs.list_objects(name, wanted);
  if (!page) {
    if (page.error().code == Code::kInvalidArgument) return bad_request(page.error().message);
    return error_reply(std::move(page).error());
  }
  json out = {{"Objects", json::array()}};
  for (const jobs::ObjectState& object : page->records) {
    out["Objects"].push_back(object_json(object));
  }
  if (!page->next_token.empty()) out["NextToken"] = page->next_token;
  return ok(out);
}

RestReply all_objects(const ApiBackend& backend, const std::string& name,
                      const ServerRequest& request) {
  return list_objects(backend, name, request, false);
}

RestReply failed_objects(const ApiBackend& backend, const std::string& name,
                         const ServerRequest& request) {
  return list_objects(backend, name, request, true);
}

RestReply document(const ApiBackend&, const std::string&, const ServerRequest&) {
  return {200, std::string(openapi_document()), {}, {}};
}

struct Route {
  std::string_view operation;  // "METHOD /path", {name} stands for a job's name
  RestReply (*run)(const ApiBackend&, const std::string& name, const ServerRequest&);
};

constexpr std::array<Route, 9> kRoutes = {{
    {"GET /v1/jobs", list_jobs},
    {"GET /v1/jobs/{name}", show_job},
    {"DELETE /v1/jobs/{name}", delete_job},
    {"GET /v1/jobs/{name}/objects", all_objects},
    {"GET /v1/jobs/{name}/errors", failed_objects},
    {"POST /v1/jobs/{name}/stop", stop_job},
    {"POST /v1/jobs/{name}/resume", resume_job},
    {"GET /v1/openapi.json", document},
    {"GET /v1/openapi.yaml", document},  // JSON is YAML, too
}};

// The job's name that `path` has where the route's path has {name}; nullopt: another path.
std::optional<std::string> match_path(std::string_view route, std::string_view path) {
  static constexpr std::string_view kName = "{name}";
  route.remove_prefix(route.find(' ') + 1);
  const size_t at = route.find(kName);
  if (at == std::string_view::npos) {
    return route == path ? std::optional<std::string>("") : std::nullopt;
  }
  const std::string_view before = route.substr(0, at);
  const std::string_view after = route.substr(at + kName.size());
  if (path.size() <= before.size() + after.size() || !path.starts_with(before) ||
      !path.ends_with(after)) {
    return std::nullopt;
  }
  const std::string_view name =
      path.substr(before.size(), path.size() - before.size() - after.size());
  if (name.find('/') != std::string_view::npos) return std::nullopt;
  const auto decoded = percent_decode(name);
  return decoded ? std::optional(*decoded) : std::nullopt;
}

}  // namespace

std::string error_body(const ApiError& error) {
  return json{{"__type", error.code}, {"message", error.message}}.dump(
      -1, ' ', false, json::error_handler_t::replace);
}

bool is_rest_path(std::string_view path) {
  return path == "/v1" || path.starts_with("/v1/");
}

std::string_view rest_operation(const ServerRequest& request) {
  for (const Route& route : kRoutes) {
    if (route.operation.starts_with(request.method + ' ') &&
        match_path(route.operation, request.path)) {
      return route.operation;
    }
  }
  return "unknown /v1";
}

RestReply rest_reply(const ApiBackend& backend, const ServerRequest& request) {
  std::string allow;
  for (const Route& route : kRoutes) {
    const auto name = match_path(route.operation, request.path);
    if (!name) continue;
    const std::string_view method = route.operation.substr(0, route.operation.find(' '));
    if (method == request.method) return route.run(backend, *name, request);
    allow += (allow.empty() ? "" : ", ") + std::string(method);
  }
  if (allow.empty()) {
    return error_reply(ApiError{404, "ResourceNotFound",
                                "There is nothing at " + request.path +
                                    ". GET /v1/openapi.json says what "
                                    "there is."});
  }
  RestReply reply = error_reply(
      ApiError{405, "MethodNotAllowed", request.method + " is not allowed here, only " + allow});
  reply.allow = allow;
  return reply;
}

}  // namespace millrace::server
