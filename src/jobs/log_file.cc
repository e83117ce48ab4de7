// A line is "<milliseconds since 1970> <message>\n". Whole lines are written by one call, so a kill
// tears at most the last one.
#include "jobs/log_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "base/limits.h"
#include "base/utf8.h"
#include "transform/file_io.h"

namespace millrace::jobs {
namespace {

namespace fs = std::filesystem;

constexpr size_t kLineBytesMax = limits::kModelLogLineBytesMax;

// `line` cut where no character is split.
std::string_view head_of(std::string_view line) {
  if (line.size() <= kLineBytesMax) return line;
  size_t end = kLineBytesMax;
  while (end > kLineBytesMax - 4 && (static_cast<unsigned char>(line[end]) & 0xc0) == 0x80) --end;
  return line.substr(0, end);
}

std::string clean(std::string_view line) {
  std::string out;
  if (is_utf8(line)) {
    out = line;
  } else {
    for (const char c : line) out += static_cast<unsigned char>(c) < 0x80 ? c : '?';
  }
  for (char& c : out) {
    if ((c >= 0 && c < ' ' && c != '\t') || c == '\x7f') c = ' ';
  }
  return out;
}

// The event on a line without its end; nullopt: it is none.
std::optional<LogEvent> parse_event(std::string_view line) {
  LogEvent event;
  const char* const end = line.data() + line.size();
  const auto [stop, code] = std::from_chars(line.data(), end, event.time_ms);
  if (code != std::errc() || stop == end || *stop != ' ') return std::nullopt;
  event.message = line.substr(static_cast<size_t>(stop - line.data()) + 1);
  return event;
}

// Calls `visit(position, line)` for each whole line from `from` on, until it answers false.
void for_each_line(int fd, uint64_t from,
                   const std::function<bool(uint64_t, std::string_view)>& visit) {
  std::string kept;
  std::string block(limits::kLogReadBlockBytes, '\0');
  uint64_t at = from;       // of what is read next
  uint64_t line_at = from;  // of `kept`
  for (;;) {
    const ssize_t got = ::pread(fd, block.data(), block.size(), static_cast<off_t>(at));
    if (got <= 0) return;
    at += static_cast<uint64_t>(got);
    std::string_view rest(block.data(), static_cast<size_t>(got));
    for (size_t end = rest.find('\n'); end != rest.npos; end = rest.find('\n')) {
      kept += rest.substr(0, end);
      if (!visit(line_at, kept)) return;
      line_at += kept.size() + 1;
      kept.clear();
      rest.remove_prefix(end + 1);
    }
    kept += rest;
  }
}

// The end of the last whole line, and its time.
std::pair<uint64_t, int64_t> end_of(int fd, uint64_t size) {
  const uint64_t from = size - std::min<uint64_t>(size, 2 * kLineBytesMax + 64);
  std::string tail(static_cast<size_t>(size - from), '\0');
  const ssize_t got = ::pread(fd, tail.data(), tail.size(), static_cast<off_t>(from));
  if (got < 0 || static_cast<size_t>(got) != tail.size()) return {size, 0};
  const size_t last = tail.rfind('\n');
  if (last == std::string::npos) return {from, 0};
  const size_t before = last == 0 ? std::string::npos : tail.rfind('\n', last - 1);
  const size_t begin = before == std::string::npos ? 0 : before + 1;
  const auto event = parse_event(std::string_view(tail).substr(begin, last - begin));
  return {from + last + 1, event ? event->time_ms : 0};
}

bool is_in(const LogEvent& event, const LogQuery& query) {
  return (!query.start_ms || event.time_ms >= *query.start_ms) &&
         (!query.end_ms || event.time_ms < *query.end_ms);
}

LogPage read_forward(int fd, const LogQuery& query) {
  LogPage page;
  page.begin = page.end = query.position.value_or(0);
  size_t bytes = 0;
  for_each_line(fd, page.begin, [&](uint64_t at, std::string_view line) {
    auto event = parse_event(line);
    if (!event || !is_in(*event, query)) return true;
    if (page.events.size() == query.events_max ||
        (!page.events.empty() && bytes + event->message.size() > query.bytes_max)) {
      return false;
    }
    bytes += event->message.size();
    event->position = at;
    if (page.events.empty()) page.begin = at;
    page.end = at + line.size() + 1;
    page.events.push_back(std::move(*event));
    return true;
  });
  return page;
}

LogPage read_backward(int fd, uint64_t size, const LogQuery& query) {
  LogPage page;
  const uint64_t stop = std::min(query.position.value_or(size), size);
  std::deque<LogEvent> newest;
  size_t bytes = 0;
  page.begin = page.end = query.position.value_or(size);
  for_each_line(fd, 0, [&](uint64_t at, std::string_view line) {
    if (at >= stop) return false;
    auto event = parse_event(line);
    if (!event || !is_in(*event, query)) return true;
    event->position = at;
    page.end = at + line.size() + 1;
    bytes += event->message.size();
    newest.push_back(std::move(*event));
    while (newest.size() > query.events_max || (newest.size() > 1 && bytes > query.bytes_max)) {
      bytes -= newest.front().message.size();
      newest.pop_front();
    }
    return true;
  });
  if (!newest.empty()) page.begin = newest.front().position;
  page.events.assign(std::make_move_iterator(newest.begin()),
                     std::make_move_iterator(newest.end()));
  return page;
}

}  // namespace

Result<std::unique_ptr<LogFile>> LogFile::open(const fs::path& file) {
  UniqueFd fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd.valid()) return fail(errno_error("open the log " + file.string(), errno));
  struct stat status = {};
  if (::fstat(fd.get(), &status) != 0) return fail(errno_error(file.string(), errno));
  const auto [size, last_ms] = end_of(fd.get(), static_cast<uint64_t>(status.st_size));
  if (::ftruncate(fd.get(), static_cast<off_t>(size)) != 0) {
    return fail(errno_error("cut the log " + file.string(), errno));
  }
  return std::unique_ptr<LogFile>(new LogFile(std::move(fd), size, last_ms));
}

void LogFile::write_event(std::string_view message, std::string* lines) const {
  *lines += std::to_string(last_ms_);
  *lines += ' ';
  *lines += clean(message);
  *lines += '\n';
}

bool LogFile::has_room(size_t bytes, Kind kind) {
  const uint64_t bound =
      limits::kLogStreamBytesMax + (kind == Kind::kLast ? limits::kLogStreamReserveBytes : 0);
  return size_ + bytes <= bound;
}

void LogFile::append(int64_t now_ms, std::string_view text, Kind kind) {
  const std::lock_guard lock(mutex_);
  last_ms_ = std::max(last_ms_, now_ms);
  if (text.ends_with('\n')) text.remove_suffix(1);
  std::string lines;
  for (;;) {
    const size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    do {
      const std::string_view head = head_of(line);
      write_event(head, &lines);
      line.remove_prefix(head.size());
    } while (!line.empty());
    if (end == text.npos) break;
    text.remove_prefix(end + 1);
  }
  if (!has_room(lines.size(), kind)) {
    if (full_) return;
    full_ = true;
    lines.clear();
    write_event("[millrace] this log is full: further lines are not kept", &lines);
  }
  // A write that failed halfway (a full disk) would leave half a line for the next one to end.
  const ssize_t written =
      ::pwrite(fd_.get(), lines.data(), lines.size(), static_cast<off_t>(size_));
  if (written == static_cast<ssize_t>(lines.size())) {
    size_ += lines.size();
  } else if (::ftruncate(fd_.get(), static_cast<off_t>(size_)) != 0) {
    full_ = true;
  }
}

void LogFile::sync() {
  const std::lock_guard lock(mutex_);
  // Where it fails, so do all who have more to lose; they say so.
  [[maybe_unused]] const int ignored = ::fdatasync(fd_.get());
}

Result<LogPage> read_log_file(const fs::path& file, const LogQuery& query) {
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) {
    if (errno == ENOENT) return fail(not_found("there is no such log stream"));
    return fail(errno_error("read the log " + file.string(), errno));
  }
  if (!query.backward) return read_forward(fd.get(), query);
  struct stat status = {};
  if (::fstat(fd.get(), &status) != 0) return fail(errno_error(file.string(), errno));
  return read_backward(fd.get(), static_cast<uint64_t>(status.st_size), query);
}

void describe_log_file(const fs::path& file, LogStream* stream) {
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status = {};
  if (!fd.valid() || ::fstat(fd.get(), &status) != 0) return;
  stream->stored_bytes = static_cast<uint64_t>(status.st_size);
  const auto [end, last_ms] = end_of(fd.get(), stream->stored_bytes);
  if (end == 0) return;
  for_each_line(fd.get(), 0, [&](uint64_t, std::string_view line) {
    if (const auto event = parse_event(line)) stream->first_event_ms = event->time_ms;
    return false;
  });
  stream->last_event_ms = last_ms;
}

}  // namespace millrace::jobs
