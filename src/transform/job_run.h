// JobRun: a job's threads at work. The planner goes over the objects and hands out parts; lanes
// transform parts; whoever ends an object's last part finishes the object.
#pragma once

#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "handler/inference_handler.h"
#include "store/object_store.h"
#include "transform/assemble.h"
#include "transform/in_flight.h"
#include "transform/job_outputs.h"
#include "transform/object_run.h"
#include "transform/part_queue.h"
#include "transform/progress.h"
#include "transform/transform_job.h"
#include "transform/transform_part.h"
#include "transform/work_area.h"

namespace millrace::transform {

class JobRun {
 public:
  // All arguments outlive the run. REQUIRES: the area has begun the job.
  JobRun(const TransformJob& job, store::ObjectStore& input, store::ObjectStore& output,
         handler::InferenceHandler& handler, WorkArea& area, Counters& counters,
         ObjectStates& states, const CancelToken& cancel);

  // To the end, or until cancelled; the planner has the calling thread. What became of each object
  // is in the report (all of it but the seconds). internal: not even one lane could be started, and
  // nothing was done.
  Result<JobReport> run();

 private:
  Status run_threads();
  JobReport take_report();

  // The planner.
  void plan_parts();
  void plan_object(size_t index);
  bool was_done_earlier(size_t index);
  void keep_object(size_t index);

  // A lane.
  void work();
  Result<PartResult> transform(const PartTask& task);
  Result<PartResult> transform_to(const PartOutput& out, const PartTask& task);
  Result<PartResult> transform_whole(const PartTask& task);
  Result<PartResult> transform_staged(const PartTask& task);
  std::optional<PartResult> take_staged(const PartTask& task, const std::string& name);

  // An object's end.
  void finish(ObjectRun& object);
  Status assemble(ObjectRun& object);
  StagedObject staged_object(size_t index, uint32_t parts) const;
  Status put_together(std::span<const StagedObject> objects, store::ObjectWriter& writer,
                      ErrorsFile& errors);
  Status commit(ObjectRun& object, const PartResult& result, const OutputPlace& place,
                store::ObjectWriter& writer, ErrorsFile& errors);
  void fail_object(size_t index, const Error& error, uint64_t refused = 0);
  void tell(const ObjectReport& object) const;
  uint64_t refused_in(const ObjectRun& object, const Error& error) const;

  // The job's end, where all results become one object.
  void merge_all();
  Status merge();

  // Results are put together from staged parts, even those of an object of one part.
  bool stages_all() const { return job_.output_form.merges() || is_parquet(job_.format); }

  std::string staged_name(const PlannedObject& planned, uint32_t part) const;
  int lanes() const;

  const TransformJob& job_;
  store::ObjectStore& input_;
  store::ObjectStore& output_;
  handler::InferenceHandler& handler_;
  WorkArea& area_;
  Counters& counters_;
  ObjectStates& states_;
  const CancelToken cancel_;
  InFlight in_flight_;
  PartQueue parts_;
  const JobOutputs outputs_;
  // With what an earlier run left: not where the model does not say which one it is.
  const bool may_go_on_;

  std::mutex mutex_;  // guards what follows
  JobReport report_;
  std::vector<uint32_t> merge_parts_;  // of each object, where results are merged
  uint64_t merge_bytes_ = 0;

  std::mutex parquet_mutex_;  // one Parquet object is written at a time: it takes memory
};

}  // namespace millrace::transform
