// From staged parts to an output object: the parts of one object, or of all of a job's, in order.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "base/result.h"
#include "handler/inference_handler.h"
#include "store/object_store.h"
#include "transform/staged_parts.h"
#include "transform/transform_job.h"

namespace millrace::transform {

// An object whose parts are all staged.
struct StagedObject {
  const PlannedObject* planned = nullptr;
  std::vector<std::string> parts;  // their names in the work area
};

struct AssembleContext {
  const TransformJob& job;
  const handler::HandlerTraits& traits;
  store::ObjectStore& input;
  const StagedParts& staged;
  const CancelToken& cancel;
};

// Appends the objects' results to `out`, which the caller commits or drops. Of several objects with
// a CSV header the first one's stands, once; bad_input where another object's differs. Memory does
// not depend on the sizes. kCancelled: asked to stop.
Status assemble(const AssembleContext& context, std::span<const StagedObject> objects,
                store::ObjectWriter& out);

}  // namespace millrace::transform
