// The pipeline: several handlers in a row, as SageMaker's serial inference pipeline has containers.
// Each mini-batch goes through all of them; what one answers is what the next is asked.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "handler/inference_handler.h"

namespace millrace::handler {

struct PipelineStep {
  std::string name;  // as messages call it: "step 2 (clean)"
  std::unique_ptr<InferenceHandler> handler;
};

struct PipelineHandlerOptions {
  std::vector<PipelineStep> steps;
  // MaxConcurrentTransforms, where the job states it: else what the steps agree on, else 1.
  std::optional<uint32_t> max_concurrent_transforms;
};

// A step's Content-Type is that of the reply before it; the job's Accept goes to the last, the
// others are asked without one, and all are told the object's name. Of a reply that holds as many
// records as its request, each stays the record that it was asked of; where a step makes more or
// fewer, its reply goes on as it is, and nothing is known of single records any more.
// A request that a step refuses as a whole is bad_input, any other error of a step the error of the
// request; both, and records refused alone, name the step. A record that one step refused does not
// go to the next.
// REQUIRES: at least two steps.
std::unique_ptr<InferenceHandler> make_pipeline_handler(PipelineHandlerOptions options);

}  // namespace millrace::handler
