// What a job leaves for its users to read, in a folder of its own: the log streams, as SageMaker
// has them (the model's output, and "data-log" for what becomes of the data), and a line for each
// object that is done with.
#pragma once

#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "jobs/job_service.h"
#include "jobs/log_file.h"

namespace millrace::jobs {

int64_t milliseconds(WallTime time);

class JobLog {
 public:
  // Goes on with the streams that `folder` holds, or makes them: names with `now` in them, of which
  // there is one pair for each job, however often it is started.
  static Result<std::unique_ptr<JobLog>> open(const std::filesystem::path& folder, WallTime now);

  // "<now>:[sagemaker logs]: <text>", a line each. Thread-safe, as all of these.
  void data(std::string_view text, LogFile::Kind kind = LogFile::Kind::kOrdinary);
  // A line of the model's own output.
  void model(std::string_view line);
  void object(const ObjectState& object);
  // Everything said so far is on the disk.
  void sync();

 private:
  JobLog() = default;

  std::unique_ptr<LogFile> data_, model_;
  std::mutex mutex_;
  std::ofstream objects_;
};

// The streams in a job's folder, in order of their names, which begin with `job`/.
std::vector<LogStream> job_log_streams(const std::filesystem::path& folder, const std::string& job);
// The file of a stream whose name is what stands behind "<job>/"; empty: no name of ours.
std::filesystem::path stream_file(const std::filesystem::path& folder, std::string_view stream);
Result<Page<ObjectState>> read_objects(const std::filesystem::path& folder,
                                       const ObjectQuery& query);

}  // namespace millrace::jobs
