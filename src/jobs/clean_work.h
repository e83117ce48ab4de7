// What jobs left behind on this machine: work areas that no process holds, listed and removed.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "store/object_store.h"

namespace millrace::jobs {

struct CleanOptions {
  std::filesystem::path work_dir;      // where jobs/ is
  std::chrono::seconds older_than{0};  // only those that nothing was written to for so long
  bool dry_run = false;
  // A store for outputs that lie at that root.
  std::function<Result<std::unique_ptr<store::ObjectStore>>(const store::Location&)> make_store;
};

struct WorkAreaLeft {
  // kRunning: a process holds it. kYoung: not yet older than asked. kRemoved: it is gone, or under
  // dry_run would be. kFailed: `problem` says why it is still there.
  enum class State { kRunning, kYoung, kRemoved, kFailed } state = State::kRunning;
  std::string job_name;
  WallTime last_written;
  uint64_t bytes = 0;
  std::string outputs;  // where its outputs lie; "": its plan does not say
  std::string problem;
};

// Goes over the work areas in the order of their names and tells `visit` what became of each.
// Uploads that a job's journal knows and that never ended are aborted before its area is removed;
// committed outputs stay. An error: the folder cannot be read. No folder: none.
Status clean_work(const CleanOptions& options,
                  const std::function<void(const WorkAreaLeft&)>& visit);

}  // namespace millrace::jobs
