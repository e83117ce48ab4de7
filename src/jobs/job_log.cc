// millrace-<ms>.log and millrace-<ms>.data-log.log are the streams "millrace-<ms>" and
// "millrace-<ms>/data-log"; objects.jsonl holds the objects.
#include "jobs/job_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "base/limits.h"

namespace millrace::jobs {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kHost = "millrace-";
constexpr std::string_view kDataLog = "data-log";
constexpr std::string_view kExtension = ".log";
constexpr const char* kObjectsFile = "objects.jsonl";

bool is_host(std::string_view name) {
  return name.starts_with(kHost) && name.size() > kHost.size() &&
         name.find_first_not_of("0123456789", kHost.size()) == name.npos;
}

// "millrace-1668000000000", if the job has been started before.
std::string find_host(const fs::path& folder) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().stem().string();
    if (entry.path().extension() == kExtension && is_host(name)) return name;
  }
  return {};
}

fs::path model_file(const fs::path& folder, std::string_view host) {
  return folder / fmt::format("{}{}", host, kExtension);
}
fs::path data_file(const fs::path& folder, std::string_view host) {
  return folder / fmt::format("{}.{}{}", host, kDataLog, kExtension);
}

std::string iso_milliseconds(WallTime time) {
  std::string text = format_iso8601(time);
  text.pop_back();
  return fmt::format("{}.{:03}", text, milliseconds(time) % 1000);
}

ObjectState parse_object(const std::string& line) {
  ObjectState object;
  const auto json = nlohmann::json::parse(line, nullptr, false);
  if (!json.is_object()) return object;
  object.input = json.value("input", "");
  object.output = json.value("output", "");
  object.records = json.value("records", uint64_t{0});
  object.failed_records = json.value("failed_records", uint64_t{0});
  object.bytes = json.value("bytes", uint64_t{0});
  object.seconds = json.value("seconds", 0.0);
  object.error = json.value("error", "");
  return object;
}

}  // namespace

int64_t milliseconds(WallTime time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

Result<std::unique_ptr<JobLog>> JobLog::open(const fs::path& folder, WallTime now) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return fail(errno_error("make the log folder " + folder.string(), error.value()));
  std::string host = find_host(folder);
  if (host.empty()) host = fmt::format("{}{}", kHost, milliseconds(now));
  auto log = std::unique_ptr<JobLog>(new JobLog);
  MR_ASSIGN(log->model_, LogFile::open(model_file(folder, host)));
  MR_ASSIGN(log->data_, LogFile::open(data_file(folder, host)));
  // A run reports all objects, also those that an earlier one did.
  log->objects_.open(folder / kObjectsFile, std::ios::binary | std::ios::trunc);
  return log;
}

void JobLog::data(std::string_view text, LogFile::Kind kind) {
  const WallTime now = real_clock().now();
  const std::string head = iso_milliseconds(now) + ":[sagemaker logs]: ";
  std::string lines;
  for (;;) {
    const size_t end = text.find('\n');
    lines.append(head).append(text.substr(0, end)).append("\n");
    if (end == text.npos) break;
    text.remove_prefix(end + 1);
  }
  data_->append(milliseconds(now), lines, kind);
}

void JobLog::model(std::string_view line) {
  model_->append(milliseconds(real_clock().now()), line);
}

void JobLog::object(const ObjectState& object) {
  const std::string line = nlohmann::json{
      {"input", object.input},     {"output", object.output},
      {"records", object.records}, {"failed_records", object.failed_records},
      {"bytes", object.bytes},     {"seconds", object.seconds},
      {"error", object.error}}.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  const std::lock_guard lock(mutex_);
  objects_ << line << '\n' << std::flush;
}

void JobLog::sync() {
  model_->sync();
  data_->sync();
  const std::lock_guard lock(mutex_);
  objects_.flush();
}

std::vector<LogStream> job_log_streams(const fs::path& folder, const std::string& job) {
  std::vector<LogStream> streams;
  const std::string host = find_host(folder);
  if (host.empty()) return streams;
  LogStream stream;
  const std::string_view created = std::string_view(host).substr(kHost.size());
  std::from_chars(created.data(), created.data() + created.size(), stream.creation_ms);
  const auto add = [&](std::string name, const fs::path& file) {
    LogStream one = stream;
    one.name = job + "/" + std::move(name);
    describe_log_file(file, &one);
    streams.push_back(std::move(one));
  };
  add(host, model_file(folder, host));
  add(fmt::format("{}/{}", host, kDataLog), data_file(folder, host));
  return streams;
}

fs::path stream_file(const fs::path& folder, std::string_view stream) {
  const size_t slash = stream.find('/');
  const std::string_view host = stream.substr(0, slash);
  if (!is_host(host)) return {};
  if (slash == stream.npos) return model_file(folder, host);
  if (stream.substr(slash + 1) != kDataLog) return {};
  return data_file(folder, host);
}

Result<Page<ObjectState>> read_objects(const fs::path& folder, const ObjectQuery& query) {
  Page<ObjectState> page;
  uint64_t at = 0;
  const std::string& token = query.next_token;
  if (!token.empty()) {
    const auto [end, code] = std::from_chars(token.data(), token.data() + token.size(), at);
    if (code != std::errc() || end != token.data() + token.size()) {
      return fail(invalid_argument("next_token is not one that an equal request returned"));
    }
  }
  std::ifstream in(folder / kObjectsFile, std::ios::binary);
  in.seekg(static_cast<std::streamoff>(at));
  std::string line;
  while (std::getline(in, line) && !in.eof()) {
    ObjectState object = parse_object(line);
    if (!query.only_failed || !object.error.empty()) {
      if (page.records.size() == query.results_max) {
        page.next_token = std::to_string(at);
        break;
      }
      page.records.push_back(std::move(object));
    }
    at += line.size() + 1;
  }
  return page;
}

}  // namespace millrace::jobs
