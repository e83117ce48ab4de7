// The containers of a CreateModel request, and of a file in its form: one, or those of an inference
// pipeline in order.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "jobs/job_options.h"
#include "jobs/job_service.h"

namespace millrace::jobs {

// PrimaryContainer or Containers, and the mode of their execution. invalid_argument: it is no such
// request.
Status take_containers(std::string_view request, ModelRecord* model);

// What SageMaker asks of them together: at most 15, ContainerHostnames for all or none and each
// another, and a mode that batch transform knows.
Status check_containers(const ModelRecord& model);

// "container 2 (clean)", or without its ContainerHostname. REQUIRES: it is one of `containers`.
std::string container_label(const std::vector<ContainerRecord>& containers,
                            const ContainerRecord& container);

// The steps that a file in CreateModel's form describes, as `describe-model` prints it:
// ModelDataUrl is what --model names (ModelDataUrl may also be a local path or an address), Image
// what a model's Python code was made for. A container without ModelDataUrl needs
// MILLRACE_MODEL_COMMAND or HF_MODEL_ID in its Environment. invalid_argument says what is wrong.
Result<std::vector<StepLayer>> read_pipeline(std::string_view text);

}  // namespace millrace::jobs
