// Parts that are one request without end: MaxPayloadInMB 0, to a model that takes a body while it
// is read and answers while it computes. Nothing is held but a block on its way, however large the
// object and the reply are.
#pragma once

#include "base/result.h"
#include "handler/inference_handler.h"
#include "transform/transform_job.h"
#include "transform/transform_part.h"

namespace millrace::transform {

// Whether each object of the job goes this way: all of it is one request, and nothing needs to look
// at single results.
bool is_streamed(const TransformJob& job, const handler::HandlerTraits& traits);

// As transform_part(). REQUIRES: is_streamed(), and the part is the whole object.
Result<PartResult> stream_part(const PartContext& context, const Part& part, const PartOutput& out);

}  // namespace millrace::transform
