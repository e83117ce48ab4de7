// What stands between Millrace and a model's process: a process of ours that starts it, and that
// takes it down with everything it started when Millrace asks, or is gone. Millrace holds the other
// end of our standard input, which the kernel closes however Millrace ends, also by `kill -9`.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>

namespace millrace::handler {

struct SupervisorOptions {
  std::string command;                // for /bin/sh
  std::filesystem::path temp_folder;  // removed at the end
  std::chrono::seconds stop_timeout{0};
  uint64_t memory_bytes_max = 0;  // of address space, for each process; 0: no limit
  uint64_t data_bytes_max = 0;    // of memory of its own, for each process; 0: no limit
  std::string cleanup;            // for /bin/sh, at the end; "": nothing
  bool trusted = false;           // a container engine: neither confined, nor its background killed
};

// Runs the command in a process group of its own, without new privileges, without core dumps, and
// as the first to end where the machine runs out of memory, until it ends or standard input does;
// then SIGTERM to the group, SIGKILL after `stop_timeout`, and SIGKILL to whatever of its
// descendants is left, also to those that left the group. The clean-up runs before the
// last of these, with a minute of time. Returns the command's exit status as a
// shell tells it (128 + n: ended by signal n); 127: not started. What is open beyond standard
// output goes to the command and is closed here. REQUIRES: a process of its own, with one thread.
int supervise(const SupervisorOptions& options);

}  // namespace millrace::handler
