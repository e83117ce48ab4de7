// ObjectRun: one object on its way through a job: which of its parts are under way, which failed
// first, and when it is all done. Shared by the planner and the lanes that work on its parts.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>

#include "base/cancel.h"
#include "base/result.h"
#include "transform/part.h"
#include "transform/refusals.h"
#include "transform/transform_job.h"

namespace millrace::transform {

class ObjectRun {
 public:
  // `planned` outlives the run. `index`: the object's place in the job's list.
  ObjectRun(size_t index, const PlannedObject& planned, const RecordErrorRules& rules,
            CancelToken job_cancel)
      : index_(index), planned_(planned), refusals_(rules), job_cancel_(std::move(job_cancel)) {}

  size_t index() const { return index_; }
  const PlannedObject& planned() const { return planned_; }
  double seconds() const;  // since it was made
  Refusals& refusals() { return refusals_; }
  const Refusals& refusals() const { return refusals_; }

  // The token of a part that will be worked on: cancelled with the job, and as soon as an earlier
  // part of the object fails.
  CancelToken add_part(uint32_t part);
  // An earlier part has failed, so this one's result will not be used.
  bool is_needless(uint32_t part) const;

  // Each part ends exactly once. True: it was the last to end, and the object can be finished.
  bool part_ended(const Part& part, const Result<PartResult>& result);

  // REQUIRES (all below): part_ended() answered true.
  // The error of the lowest part that failed, hence of the lowest record.
  const std::optional<Error>& error() const { return error_; }
  const PartResult& result() const { return result_; }
  uint32_t parts() const { return parts_total_.value_or(0); }

 private:
  const size_t index_;
  const PlannedObject& planned_;
  Refusals refusals_;
  const CancelToken job_cancel_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();

  mutable std::mutex mutex_;
  std::map<uint32_t, CancelToken> open_parts_;
  uint32_t parts_ended_ = 0;
  std::optional<uint32_t> parts_total_;
  uint32_t failed_part_ = UINT32_MAX;
  std::optional<Error> error_;
  PartResult result_;
};

}  // namespace millrace::transform
