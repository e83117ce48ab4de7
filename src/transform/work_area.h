// The work area: a job's own place (work_storage.h), locked while the job runs, with its plan, its
// journal and the results of parts that wait to be assembled. It outlives a run that did not
// complete, so that the next run of the job can clean up after it and need not do again what is
// done.
//
//   lock      held by the process that runs the job; names its pid
//   plan      the frozen list of inputs and outputs, and the settings' digest
//   journal   what was begun and finished (journal.h)
//   parts/    results of parts, named by object, part, settings and model
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "base/result.h"
#include "store/object_store.h"
#include "transform/journal.h"
#include "transform/staged_parts.h"
#include "transform/transform_job.h"
#include "transform/work_storage.h"

namespace millrace::transform {

// What must be equal for a job to go on with what an earlier run of its name did.
std::string run_digest(const TransformJob& job);

class WorkArea {
 public:
  // Makes it if it is missing and locks it. Held by another process: already_exists, which names
  // the place and the process.
  static Result<std::unique_ptr<WorkArea>> open(std::unique_ptr<WorkStorage> storage);
  static Result<std::unique_ptr<WorkArea>> open(const std::filesystem::path& folder);
  // Destroyed, it unlocks; what it holds stays.

  // Cancels `run` should another process take the lock from us; was_lost() then says so.
  void watch_lock(const CancelToken& run) { storage_->watch_lock(run); }
  bool was_lost() const { return storage_->was_lost(); }
  std::string describe() const { return storage_->describe(); }

  // What an earlier run's journal says (as it was when the area was opened, less what clean_up
  // settled).
  const JournalState& earlier() const { return earlier_; }

  // No earlier run left anything.
  bool is_new() const { return is_new_; }

  // Aborts the uploads that an earlier run began and never ended.
  Status clean_up(store::ObjectStore& output);

  // When the job was first started, "2022-08-30T00:49:15Z". REQUIRES: begin succeeded.
  const std::string& started() const { return started_; }

  // Writes the plan, and a journal that keeps of the earlier one what was done under the same
  // settings. Staged parts that were made under others are dropped. REQUIRES: clean_up succeeded.
  Status begin(const TransformJob& job, const store::ObjectStore& input,
               const store::ObjectStore& output);

  // REQUIRES: begin succeeded.
  Journal& journal() { return *journal_; }

  // Results of parts that wait to be assembled, also those of an earlier run under these settings.
  // REQUIRES: begin succeeded.
  StagedParts& staged() { return staged_; }

  // Removes it, because the job is completed.
  Status remove();

 private:
  explicit WorkArea(std::unique_ptr<WorkStorage> storage)
      : storage_(std::move(storage)), staged_(*storage_) {}

  const std::unique_ptr<WorkStorage> storage_;
  bool is_new_ = true;
  std::string started_;
  JournalState earlier_;
  std::unique_ptr<Journal> journal_;
  StagedParts staged_;
};

}  // namespace millrace::transform
