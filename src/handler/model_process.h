// A process that Millrace starts for one job to have a model answer: a command that serves the
// container contract on a port of this machine, or one that speaks over a channel of its own. It
// runs under a supervisor (supervisor.h), so nothing of it outlives us.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "base/cancel.h"
#include "base/limits.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace millrace::handler {

struct ModelProcessOptions {
  std::filesystem::path program;  // millrace itself: its `supervise` command is the supervisor
  std::string command;            // for /bin/sh
  // All that the model finds in its environment, but for what start() adds.
  std::map<std::string, std::string> environment;
  std::chrono::seconds stop_timeout{limits::kModelStopSeconds};
  uint64_t memory_bytes_max = 0;  // of address space, for each process; 0: no limit
  uint64_t data_bytes_max = 0;    // of memory of its own, for each process; 0: no limit
  // A socket that the command gets as its descriptor 3, instead of a port; the caller's end to
  // close. -1: none.
  int channel = -1;
  // A program that the user trusts and that only has others run (a container engine): the
  // supervisor does not confine it, and leaves alone what it put into the background.
  bool trusted = false;
  // For /bin/sh: runs when the command has ended or was killed, however we end.
  std::string cleanup;
  // Files in the folder of its own, by name, that only this user can read.
  std::map<std::string, std::string> files;
  // Takes each line of the model's output; called by a thread of ours.
  std::function<void(std::string_view)> log = [](std::string_view) {};
};

class ModelProcess {
 public:
  // Adds SAGEMAKER_BIND_TO_PORT, a free port, unless there is a channel, and TMPDIR, a folder of
  // its own. Whether the command can be run at all shows in alive().
  static Result<std::shared_ptr<ModelProcess>> start(ModelProcessOptions options);
  // Asks it to end (SIGTERM, then SIGKILL) and waits until it has.
  ~ModelProcess();
  ModelProcess(const ModelProcess&) = delete;
  ModelProcess& operator=(const ModelProcess&) = delete;

  // "http://127.0.0.1:PORT". REQUIRES: no channel.
  std::string url() const;
  // internal once it has ended, with its exit status and its last lines. Thread-safe.
  Status alive();
  // The same, for one who has seen that it ends: waits so long for it to have ended.
  Status ended(std::chrono::milliseconds patience = std::chrono::seconds(5));
  // For a command that is to end by itself: its exit status as a shell tells it; cancelled.
  Result<int> wait(const CancelToken& cancel);

 private:
  ModelProcess(ModelProcessOptions options, int port);
  Status spawn();
  void read_output();
  void take_line(std::string_view line);

  const ModelProcessOptions options_;
  const int port_;
  std::filesystem::path temp_folder_;
  UniqueFd control_;  // its end is the supervisor's sign
  UniqueFd output_;
  pid_t supervisor_ = -1;
  std::thread reader_;
  std::atomic<bool> supervisor_ended_{false};

  std::mutex mutex_;
  std::condition_variable output_ended_;
  bool output_open_ = true;
  std::deque<std::string> tail_;
  std::optional<int> status_;  // of waitpid
};

}  // namespace millrace::handler
