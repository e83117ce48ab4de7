// The scan: reads a large object once, ahead of the work, and finds where its parts begin.
#pragma once

#include <functional>

#include "base/cancel.h"
#include "handler/inference_handler.h"
#include "store/object_store.h"
#include "transform/part.h"
#include "transform/transform_job.h"

namespace millrace::transform {

// Whether the object is worked on in several parts: it can be cut, is larger than one part, and is
// not one request.
bool is_cut_into_parts(const TransformJob& job, const store::ObjectInfo& object,
                       const handler::HandlerTraits& traits);

// Takes a part as soon as its end is known. False: no more are wanted.
using PartSink = std::function<bool(Part)>;

// Hands out the parts in order; exactly one, the final one, is `last`. An error ends the scan and
// is the last part's end_error.
void scan_object(store::ObjectStore& store, const TransformJob& job,
                 const store::ObjectInfo& object, const handler::HandlerTraits& traits,
                 const CancelToken& cancel, const PartSink& emit);

}  // namespace millrace::transform
