// transform_part: the data path of one part, from its bytes to its results, in input order. A pure
// function of the bytes, the job's settings and the model.
#pragma once

#include "base/cancel.h"
#include "base/result.h"
#include "handler/inference_handler.h"
#include "store/object_store.h"
#include "transform/in_flight.h"
#include "transform/part.h"
#include "transform/progress.h"
#include "transform/refusals.h"
#include "transform/transform_job.h"

namespace millrace::transform {

// Where a part belongs, and what all parts of a job share.
struct PartContext {
  const TransformJob& job;
  const store::ObjectInfo& object;
  store::ObjectStore& input;
  handler::InferenceHandler& handler;
  InFlight& in_flight;
  Counters& counters;
  CancelToken cancel;  // this part's own: cancelled also when the part fails
  uint64_t order = 0;  // of the part in the job: whose work is to be done first
};

// Where a part's bytes go: all of it for the caller to commit or to drop.
struct PartOutput {
  store::ObjectWriter& results;
  ErrorsFile& errors;
  Refusals& refusals;  // of the whole object
};

// Appends the part's results to `out`. The error is that of the
// lowest record that has one, and names it. kCancelled: asked to stop.
Result<PartResult> transform_part(const PartContext& context, const Part& part,
                                  const PartOutput& out);

}  // namespace millrace::transform
