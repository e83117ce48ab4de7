// CloudWatch Logs, as far as the SDKs read a transform job's lines. Clients rely on this: times and
// order of events never change; reading ends with an empty page, whose forward token is the one
// that was sent; all streams come in one page, because the SDK never sends DescribeLogStreams'
// token.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "base/limits.h"
#include "server/api_backend.h"
#include "server/log_filter.h"

namespace millrace::server {
namespace {

using nlohmann::json;

// The group that a request names; clients treat a missing one as one without lines.
ApiResult<void> check_group(const ApiBackend& backend, const json& request) {
  std::string group = request.value("logGroupName", request.value("logGroupIdentifier", ""));
  const std::string arn =
      fmt::format("arn:aws:logs:{}:{}:log-group:", backend.region, backend.account);
  if (group.starts_with(arn)) group = group.substr(arn.size());
  if (group == jobs::kTransformJobsLogGroup) return {};
  if (group.empty()) {
    return api_fail(400, "InvalidParameterException",
                    "One of logGroupName and logGroupIdentifier must be specified.");
  }
  return api_fail(400, "ResourceNotFoundException", "The specified log group does not exist.");
}

json stream_json(const jobs::LogStream& stream) {
  json out = {{"logStreamName", stream.name},
              {"arn", stream.arn},
              {"creationTime", stream.creation_ms},
              {"storedBytes", stream.stored_bytes}};
  if (stream.first_event_ms) out["firstEventTimestamp"] = *stream.first_event_ms;
  if (stream.last_event_ms) {
    out["lastEventTimestamp"] = *stream.last_event_ms;
    out["lastIngestionTime"] = *stream.last_event_ms;
  }
  return out;
}

ApiResult<json> describe_log_streams(const ApiBackend& backend, const json& request) {
  if (auto ok = check_group(backend, request); !ok) return tl::unexpected(ok.error());
  const std::string prefix = request.value("logStreamNamePrefix", "");
  auto streams =
      backend.jobs.log_streams(prefix, request.value("nextToken", ""), limits::kLogStreamsInPage);
  // A job has two streams; only who asks about many jobs at a time ever needs a second page.
  std::string next;
  if (streams.size() == limits::kLogStreamsInPage) next = streams.back().name;
  const bool by_time = request.value("orderBy", "") == "LastEventTime";
  if (by_time) {
    std::stable_sort(streams.begin(), streams.end(), [](const auto& a, const auto& b) {
      return a.last_event_ms.value_or(0) < b.last_event_ms.value_or(0);
    });
  }
  if (request.value("descending", false)) std::reverse(streams.begin(), streams.end());
  json out = {{"logStreams", json::array()}};
  for (const jobs::LogStream& stream : streams) out["logStreams"].push_back(stream_json(stream));
  if (!next.empty()) out["nextToken"] = next;
  return out;
}

// "f/000000000000000042": go on at this position; "b/...": before it.
std::string token(char direction, uint64_t position) {
  return fmt::format("{}/{:020}", direction, position);
}

std::optional<uint64_t> token_position(std::string_view text) {
  if (text.size() != 22 || (text[0] != 'f' && text[0] != 'b') || text[1] != '/') return {};
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data() + 2, text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return value;
}

std::optional<int64_t> time_of(const json& request, const char* member) {
  const auto found = request.find(member);
  if (found == request.end()) return std::nullopt;
  return found->get<int64_t>();
}

ApiError log_error(Error error) {
  if (error.code == Code::kNotFound) {
    return {400, "ResourceNotFoundException", "The specified log stream does not exist."};
  }
  return api_error_of(std::move(error), "");
}

ApiResult<json> get_log_events(const ApiBackend& backend, const json& request) {
  if (auto ok = check_group(backend, request); !ok) return tl::unexpected(ok.error());
  jobs::LogQuery query;
  query.start_ms = time_of(request, "startTime");
  query.end_ms = time_of(request, "endTime");
  query.events_max = request.value("limit", size_t{10000});
  query.backward = !request.value("startFromHead", false);
  if (const std::string from = request.value("nextToken", ""); !from.empty()) {
    query.position = token_position(from);
    if (!query.position) {
      return api_fail(400, "InvalidParameterException", "The specified nextToken is invalid.");
    }
    query.backward = from.front() == 'b';
  }
  auto page = backend.jobs.read_log(request["logStreamName"].get_ref<const std::string&>(), query);
  if (!page) return tl::unexpected(log_error(std::move(page).error()));
  json out = {{"events", json::array()},
              {"nextForwardToken", token('f', page->end)},
              {"nextBackwardToken", token('b', page->begin)}};
  for (const jobs::LogEvent& event : page->events) {
    out["events"].push_back({{"timestamp", event.time_ms},
                             {"message", event.message},
                             {"ingestionTime", event.time_ms}});
  }
  return out;
}

// The streams of FilterLogEvents, by name.
std::vector<std::string> chosen_streams(const ApiBackend& backend, const json& request) {
  if (request.contains("logStreamNames")) {
    auto names = request["logStreamNames"].get<std::vector<std::string>>();
    std::sort(names.begin(), names.end());
    return names;
  }
  std::vector<std::string> names;
  for (const auto& stream : backend.jobs.log_streams(request.value("logStreamNamePrefix", ""), {},
                                                     limits::kLogStreamsFiltered)) {
    names.push_back(stream.name);
  }
  return names;
}

// Where a filter goes on: a stream, and a position in it.
struct FilterPlace {
  std::string stream;
  uint64_t position = 0;
};

std::optional<FilterPlace> filter_place(const std::string& text) {
  const size_t end = text.find(' ');
  if (end == std::string::npos) return std::nullopt;
  const auto position = token_position(std::string_view(text).substr(0, end));
  if (!position) return std::nullopt;
  return FilterPlace{text.substr(end + 1), *position};
}

json filtered_event(const std::string& stream, const jobs::LogEvent& event) {
  return {{"logStreamName", stream},
          {"timestamp", event.time_ms},
          {"message", event.message},
          {"ingestionTime", event.time_ms},
          {"eventId", stream + '/' + std::to_string(event.position)}};
}

// One stream after the other, a page of one stream at a time.
ApiResult<json> filter_log_events(const ApiBackend& backend, const json& request) {
  if (auto ok = check_group(backend, request); !ok) return tl::unexpected(ok.error());
  FilterPlace from;
  if (const std::string text = request.value("nextToken", ""); !text.empty()) {
    const auto place = filter_place(text);
    if (!place) {
      return api_fail(400, "InvalidParameterException", "The specified nextToken is invalid.");
    }
    from = *place;
  }
  const LogFilter filter(request.value("filterPattern", ""));
  if (!filter.problem().empty()) {
    return api_fail(400, "InvalidParameterException", filter.problem());
  }
  jobs::LogQuery query;
  query.start_ms = time_of(request, "startTime");
  query.end_ms = time_of(request, "endTime");
  query.events_max = request.value("limit", size_t{10000});
  json out = {{"events", json::array()}, {"searchedLogStreams", json::array()}};
  const auto streams = chosen_streams(backend, request);
  for (size_t i = 0; i < streams.size(); ++i) {
    if (streams[i] < from.stream) continue;
    query.position = streams[i] == from.stream ? from.position : 0;
    auto page = backend.jobs.read_log(streams[i], query);
    if (!page) return tl::unexpected(log_error(std::move(page).error()));
    for (const jobs::LogEvent& event : page->events) {
      if (filter.matches(event.message)) out["events"].push_back(filtered_event(streams[i], event));
    }
    if (!page->events.empty()) {
      out["nextToken"] = token('f', page->end) + ' ' + streams[i];
      return out;
    }
    if (i + 1 < streams.size() && !out["events"].empty()) {
      out["nextToken"] = token('f', 0) + ' ' + streams[i + 1];
      return out;
    }
  }
  return out;
}

constexpr OperationEntry kEntries[] = {{"DescribeLogStreams", as_text<describe_log_streams>, false},
                                       {"GetLogEvents", as_text<get_log_events>, false},
                                       {"FilterLogEvents", as_text<filter_log_events>, false}};

}  // namespace

const OperationEntry* find_logs_entry(std::string_view name) {
  for (const OperationEntry& entry : kEntries) {
    if (entry.name == name) return &entry;
  }
  return nullptr;
}

}  // namespace millrace::server
