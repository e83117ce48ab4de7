// The server has checked a request's shape; a file that a user wrote comes unchecked.
#include "jobs/model_request.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "base/limits.h"

namespace millrace::jobs {
namespace {

using nlohmann::json;

// A member that is a string; "" where it is missing or null.
Result<std::string> text_of(const json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return std::string();
  if (!found->is_string()) return fail(invalid_argument(fmt::format("{}: not a string", name)));
  return found->get<std::string>();
}

Status take_environment(const json& container, Variables* out) {
  const auto found = container.find("Environment");
  if (found == container.end() || found->is_null()) return {};
  if (!found->is_object()) return fail(invalid_argument("Environment: not an object"));
  for (const auto& [name, value] : found->items()) {
    if (!value.is_string()) return fail(invalid_argument("Environment." + name + ": not a string"));
    (*out)[name] = value.get<std::string>();
  }
  return {};
}

Result<ContainerRecord> parse_container(const json& container) {
  if (!container.is_object()) return fail(invalid_argument("a container is no object"));
  ContainerRecord out;
  MR_ASSIGN(out.hostname, text_of(container, "ContainerHostname"));
  MR_ASSIGN(out.image, text_of(container, "Image"));
  MR_ASSIGN(out.model_data_url, text_of(container, "ModelDataUrl"));
  MR_ASSIGN(out.mode, text_of(container, "Mode"));
  MR_TRY(take_environment(container, &out.environment));
  return out;
}

Status take_mode(const json& request, ModelRecord* model) {
  const auto config = request.find("InferenceExecutionConfig");
  if (config == request.end() || config->is_null()) return {};
  if (!config->is_object())
    return fail(invalid_argument("InferenceExecutionConfig: not an object"));
  MR_ASSIGN(const std::string mode, text_of(*config, "Mode"));
  model->direct = mode == "Direct";
  return {};
}

// All have a name or none has, and each another: they tell log lines and errors apart.
Status check_hostnames(const std::vector<ContainerRecord>& containers) {
  std::set<std::string> names;
  size_t named = 0;
  for (const ContainerRecord& container : containers) {
    if (container.hostname.empty()) continue;
    ++named;
    if (!names.insert(container.hostname).second) {
      return fail(invalid_argument(
          fmt::format("ContainerHostname '{}' is given twice; each container needs its own",
                      container.hostname)));
    }
  }
  if (named == 0 || named == containers.size()) return {};
  return fail(
      invalid_argument("If you specify a ContainerHostname for any container of an inference "
                       "pipeline, you must specify one for every container"));
}

// What --model would say; "": the step's Environment says it.
Result<StepLayer> step_of(ContainerRecord container) {
  StepLayer step;
  step.name = std::move(container.hostname);
  step.model = std::move(container.model_data_url);
  step.image = std::move(container.image);
  step.environment = std::move(container.environment);
  if (container.mode == "MultiModel") {
    return fail(invalid_argument("Mode MultiModel is not supported by batch transform"));
  }
  if (step.model.empty() && !step.environment.contains("MILLRACE_MODEL_COMMAND") &&
      !step.environment.contains("HF_MODEL_ID")) {
    return fail(invalid_argument(
        "nothing says which model it is: give a ModelDataUrl (a folder, a model.tar.gz, a shipped "
        "model's name, http://...), or MILLRACE_MODEL_COMMAND or HF_MODEL_ID in its Environment"));
  }
  return step;
}

}  // namespace

Status take_containers(std::string_view request, ModelRecord* model) {
  const json object = json::parse(request, nullptr, false);
  if (!object.is_object()) return fail(invalid_argument("the request is no JSON object"));
  const auto primary = object.find("PrimaryContainer");
  if (primary != object.end() && !primary->is_null()) {
    MR_ASSIGN(ContainerRecord container, parse_container(*primary));
    model->containers.push_back(std::move(container));
  }
  MR_TRY(take_mode(object, model));
  const auto several = object.find("Containers");
  if (several == object.end() || several->is_null()) return {};
  if (!several->is_array()) return fail(invalid_argument("Containers: not a list"));
  if (!several->empty() && !model->containers.empty()) {
    return fail(
        invalid_argument("Exactly one of PrimaryContainer and Containers must be specified."));
  }
  for (const json& one : *several) {
    MR_ASSIGN(ContainerRecord container, parse_container(one));
    model->containers.push_back(std::move(container));
  }
  return {};
}

Status check_containers(const ModelRecord& model) {
  const auto& containers = model.containers;
  if (containers.empty()) {
    return fail(invalid_argument("a model needs a PrimaryContainer, or Containers"));
  }
  if (containers.size() > limits::kPipelineStepsMax) {
    return fail(invalid_argument(
        fmt::format("Containers: an inference pipeline has at most {} containers, and these are {}",
                    limits::kPipelineStepsMax, containers.size())));
  }
  if (model.direct) {
    return fail(
        invalid_argument("InferenceExecutionConfig: batch transform runs the containers of a model "
                         "one after the other (Serial); Mode Direct is not supported by it"));
  }
  return check_hostnames(containers);
}

std::string container_label(const std::vector<ContainerRecord>& containers,
                            const ContainerRecord& container) {
  const auto number = &container - containers.data() + 1;
  if (container.hostname.empty()) return fmt::format("container {}", number);
  return fmt::format("container {} ({})", number, container.hostname);
}

Result<std::vector<StepLayer>> read_pipeline(std::string_view text) {
  ModelRecord model;
  MR_TRY(take_containers(text, &model));
  MR_TRY(check_containers(model));
  if (model.containers.size() < limits::kPipelineStepsMin) {
    return fail(invalid_argument("a pipeline has at least two Containers; one model is --model's"));
  }
  std::vector<StepLayer> steps;
  for (const ContainerRecord& container : model.containers) {
    auto step = step_of(container);
    if (!step) {
      return fail(std::move(step).error().within(container_label(model.containers, container)));
    }
    steps.push_back(std::move(*step));
  }
  return steps;
}

}  // namespace millrace::jobs
