// JobOutputs: the outputs of a job, from their creation to their commit: how they are written,
// which errors file belongs to each, and what the journal is told meanwhile.
#pragma once

#include <memory>
#include <string>

#include "base/cancel.h"
#include "base/result.h"
#include "handler/inference_handler.h"
#include "store/object_store.h"
#include "transform/refusals.h"
#include "transform/transform_job.h"
#include "transform/work_area.h"

namespace millrace::transform {

// Where results go: an object's output, or the one object that all of a job's become.
struct OutputPlace {
  std::string key;
  std::string input_version;  // existing_outputs.h
  bool stale_errors = false;  // PlannedObject
};

// Thread-safe.
class JobOutputs {
 public:
  // All outlive it. REQUIRES: the area has begun the job.
  JobOutputs(const TransformJob& job, store::ObjectStore& store,
             const handler::HandlerTraits& traits, WorkArea& area, const CancelToken& cancel)
      : job_(job), store_(store), traits_(traits), area_(area), cancel_(cancel) {}

  OutputPlace place_of(const PlannedObject& planned) const;
  OutputPlace merged_place() const;

  // `expected_size`: 0 where it is not known.
  Result<std::unique_ptr<store::ObjectWriter>> create(const OutputPlace& place,
                                                      uint64_t expected_size) const;
  // The errors file of that output: made when something is appended.
  ErrorsFile errors_of(const OutputPlace& place) const;

  // Commits the errors file, then the output: whoever sees the output finds the errors file that
  // belongs to it, or none. kCancelled: the job is asked to stop.
  Status commit(const OutputPlace& place, store::ObjectWriter& writer, ErrorsFile& errors) const;

  // Tells the journal of a committed output, so that the next run need not do it again. `done` has
  // what the run knows; what the store says of the output is added.
  void remember(CommittedOutput done, const store::ObjectWriter& writer) const;

 private:
  store::WriteOptions write_options(const std::string& key) const;
  bool is_ours(const std::string& key) const;
  Status begin_commit(const std::string& key) const;
  Status remove_stale_errors(const std::string& key) const;

  const TransformJob& job_;
  store::ObjectStore& store_;
  const handler::HandlerTraits& traits_;
  WorkArea& area_;
  const CancelToken& cancel_;
};

}  // namespace millrace::transform
