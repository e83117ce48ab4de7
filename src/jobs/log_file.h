// A log stream on disk: a file of lines, each with its time. Lines are only ever added, their times
// never go back, and a line's byte offset is its position for ever; so a reader goes on where it
// was, whatever is written meanwhile.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"
#include "jobs/job_service.h"

namespace millrace::jobs {

class LogFile {
 public:
  // Opens `file` for more lines; made if missing. A line that a kill has torn is cut off.
  static Result<std::unique_ptr<LogFile>> open(const std::filesystem::path& file);

  // What may be said in a log that is full: the little that tells how the job ended.
  enum class Kind { kOrdinary, kLast };

  // Adds each line of `text` as one event; bytes that are no UTF-8, and control characters, are
  // replaced, and long lines cut into several. Past the file's bound ordinary lines are dropped,
  // and the log says so once. What cannot be written is lost: a log never fails its job.
  // Thread-safe.
  void append(int64_t now_ms, std::string_view text, Kind kind = Kind::kOrdinary);
  // Waits for the disk.
  void sync();

 private:
  LogFile(UniqueFd fd, uint64_t size, int64_t last_ms)
      : fd_(std::move(fd)), size_(size), last_ms_(last_ms) {}
  void write_event(std::string_view message, std::string* lines) const;
  bool has_room(size_t bytes, Kind kind);

  const UniqueFd fd_;
  std::mutex mutex_;
  uint64_t size_;
  int64_t last_ms_;
  bool full_ = false;
};

// The events that `query` asks for. not_found: there is no such file.
Result<LogPage> read_log_file(const std::filesystem::path& file, const LogQuery& query);

// What a list of streams says of the file: times of the first and last event, bytes.
void describe_log_file(const std::filesystem::path& file, LogStream* stream);

}  // namespace millrace::jobs
