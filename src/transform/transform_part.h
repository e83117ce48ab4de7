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
};

// Appends the part's results to `out`, which the caller commits or drops. The error is that of the
// lowest record that has one, and names it. kCancelled: asked to stop.
Result<PartResult> transform_part(const PartContext& context, const Part& part,
                                  store::ObjectWriter& out);

}  // namespace millrace::transform
