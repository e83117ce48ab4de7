// The server has checked a request's shape; what is read here is checked again, because jobs are
// also taken up from the store of another version.
#include "jobs/job_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/limits.h"
#include "jobs/api_request.h"
#include "jobs/backends.h"
#include "jobs/image_rules.h"
#include "jobs/model_request.h"

namespace millrace::jobs {
namespace {

using nlohmann::json;

double seconds_of(int64_t milliseconds) {
  return static_cast<double>(milliseconds) / 1000;
}

Result<json> parse_object(std::string_view request) {
  json object = json::parse(request, nullptr, false);
  if (!object.is_object()) return fail(invalid_argument("the request is no JSON object"));
  return object;
}

// A member that is a string; "" where it is missing or null.
Result<std::string> text_of(const json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return std::string();
  if (!found->is_string()) return fail(invalid_argument(fmt::format("{}: not a string", name)));
  return found->get<std::string>();
}

Result<std::string> required_text(const json& object, const char* name) {
  MR_ASSIGN(std::string text, text_of(object, name));
  if (text.empty()) return fail(invalid_argument(fmt::format("{} is missing", name)));
  return text;
}

// AWS's words for the one; the other is what a user of a local folder has to know.
Status check_data_source(std::string_view request) {
  if (request.find("\"ModelDataSource\"") == request.npos) return {};
  MR_ASSIGN(const json object, parse_object(request));
  const auto has = [](const json& container) {
    return container.is_object() && container.contains("ModelDataSource") &&
           !container["ModelDataSource"].is_null();
  };
  bool found = object.contains("PrimaryContainer") && has(object["PrimaryContainer"]);
  if (object.contains("Containers") && object["Containers"].is_array()) {
    for (const json& container : object["Containers"]) found = found || has(container);
  }
  if (!found) return {};
  return fail(invalid_argument(
      "SageMaker Batch currently doesn't support Model entity with container definitions which use "
      "ModelDataSource attribute. Give the artefact as one model.tar.gz in ModelDataUrl."));
}

Status check_location(const char* member, const std::string& location,
                      const ServiceOptions& options) {
  if (location.empty() || location.starts_with("s3://") || options.allow_local_paths) return {};
  return fail(invalid_argument(
      fmt::format("{} '{}': only s3:// locations are allowed on this server", member, location)));
}

Status check_container(const ContainerRecord& container, const ModelRecord& model,
                       const ServiceOptions& options) {
  if (container.mode == "MultiModel") {
    return fail(invalid_argument("Mode MultiModel is not supported by batch transform"));
  }
  if (container.image.empty()) {
    return fail(invalid_argument("the container needs an Image; it says which handler serves it"));
  }
  MR_ASSIGN(const ModelBinding binding,
            bind_image(container.image, options.images, options.allow_images));
  if (model.network_isolation && binding.kind != ModelBinding::Kind::kNative &&
      binding.kind != ModelBinding::Kind::kContainer) {
    return fail(invalid_argument(
        "EnableNetworkIsolation: this server cannot keep the model's code from the network; only "
        "containers and the native engine, which opens no connections, are served so"));
  }
  MR_ASSIGN(const std::string location, model_location(container, binding));
  if (container.model_data_url.empty()) return {};
  return check_location("ModelDataUrl", location, options);
}

// What of a job's settings one container decides.
Result<StepLayer> step_of(const ContainerRecord& container, const ModelRecord& model,
                          const ServiceOptions& options) {
  MR_ASSIGN(const ModelBinding binding,
            bind_image(container.image, options.images, options.allow_images));
  StepLayer step;
  step.name = container.hostname;
  MR_ASSIGN(step.model, model_location(container, binding));
  // What the artefact's Python code finds installed.
  if (binding.kind == ModelBinding::Kind::kPython) step.image = container.image;
  if (binding.kind == ModelBinding::Kind::kContainer) {
    step.machine = options.container;
    step.machine["MODEL_IMAGE"] = container.image;
    if (model.network_isolation) step.machine["MODEL_NETWORK"] = "none";
  }
  step.environment = container.environment;
  return step;
}

Result<std::vector<StepLayer>> steps_of(const ModelRecord& model, const ServiceOptions& options) {
  std::vector<StepLayer> steps;
  for (const ContainerRecord& container : model.containers) {
    MR_ASSIGN(StepLayer step, step_of(container, model, options));
    steps.push_back(std::move(step));
  }
  return steps;
}

// The settings of a pipeline's steps are checked with the model, not when a job has begun.
Status check_step_settings(const ModelRecord& model, const ServiceOptions& options) {
  if (model.containers.size() < limits::kPipelineStepsMin) return {};
  SettingLayers layers;
  MR_ASSIGN(layers.steps, steps_of(model, options));
  for (size_t i = 0; i < layers.steps.size(); ++i) {
    MR_TRY(merge_step_settings(layers, i));
  }
  return {};
}

// What SageMaker's API fills in where a request is silent, in place of what the command line
// infers from names.
Variables api_defaults() {
  return {{"MILLRACE_SPLIT_TYPE", "None"},
          {"MILLRACE_ASSEMBLE_WITH", "None"},
          {"MILLRACE_COMPRESSION_TYPE", "None"},
          {"MILLRACE_IF_EXISTS", "overwrite"}};
}

}  // namespace

std::string make_arn(const ServiceOptions& options, std::string_view kind, std::string_view name) {
  return fmt::format("arn:aws:sagemaker:{}:{}:{}/{}", options.region, options.account, kind,
                     name_key(name));
}

Result<Tags> parse_request_tags(std::string_view request) {
  MR_ASSIGN(const json object, parse_object(request));
  Tags tags;
  const auto found = object.find("Tags");
  if (found == object.end() || found->is_null()) return tags;
  if (!found->is_array()) return fail(invalid_argument("Tags: not a list"));
  for (const json& item : *found) {
    if (!item.is_object()) return fail(invalid_argument("Tags: an item is no object"));
    Tag tag;
    MR_ASSIGN(tag.key, required_text(item, "Key"));
    MR_ASSIGN(tag.value, text_of(item, "Value"));
    const auto same = [&](const Tag& other) { return other.key == tag.key; };
    if (std::any_of(tags.begin(), tags.end(), same)) {
      return fail(invalid_argument("Tags: the key '" + tag.key + "' is given twice"));
    }
    tags.push_back(std::move(tag));
  }
  return tags;
}

Result<ModelRecord> parse_model(std::string_view request, const ServiceOptions& options) {
  MR_ASSIGN(const json object, parse_object(request));
  ModelRecord model;
  MR_ASSIGN(model.name, required_text(object, "ModelName"));
  model.arn = make_arn(options, "model", model.name);
  model.request = request;
  MR_TRY(take_containers(request, &model));
  MR_ASSIGN(model.execution_role_arn, text_of(object, "ExecutionRoleArn"));
  const auto isolated = object.find("EnableNetworkIsolation");
  model.network_isolation = isolated != object.end() && *isolated == true;
  return model;
}

Status check_model(const ModelRecord& model, const ServiceOptions& options) {
  MR_TRY(check_data_source(model.request));
  MR_TRY(check_containers(model));
  for (const ContainerRecord& container : model.containers) {
    Status fits = check_container(container, model, options);
    if (fits) continue;
    if (model.containers.size() == 1) return fits;
    return fail(std::move(fits).error().within(container_label(model.containers, container)));
  }
  return check_step_settings(model, options);
}

Result<TransformJobRecord> parse_job(std::string_view request, const ServiceOptions& options) {
  MR_ASSIGN(const json object, parse_object(request));
  TransformJobRecord job;
  MR_ASSIGN(job.name, required_text(object, "TransformJobName"));
  MR_ASSIGN(job.model_name, required_text(object, "ModelName"));
  job.arn = make_arn(options, "transform-job", job.name);
  job.request = request;
  const auto output = object.find("TransformOutput");
  if (output == object.end() || !output->is_object()) {
    return fail(invalid_argument("TransformOutput is missing"));
  }
  MR_ASSIGN(job.output, required_text(*output, "S3OutputPath"));
  return job;
}

Result<SettingLayers> job_layers(std::string_view request, const ModelRecord& model,
                                 const ServiceOptions& options) {
  MR_TRY(check_model(model, options));
  MR_ASSIGN(ApiRequest parsed, parse_api_request(request));
  for (const auto& [option, member] :
       {std::pair{"INPUT", "S3Uri"}, std::pair{"OUTPUT", "S3OutputPath"},
        std::pair{"DATA_CAPTURE_DESTINATION", "DestinationS3Uri"}}) {
    const auto found = parsed.members.find(option);
    if (found == parsed.members.end()) continue;
    MR_TRY(check_location(member, found->second, options));
  }
  SettingLayers layers;
  MR_ASSIGN(layers.steps, steps_of(model, options));
  if (layers.steps.size() == 1) {
    StepLayer& only = layers.steps.front();
    parsed.members["MODEL"] = std::move(only.model);
    if (!only.image.empty()) parsed.members["IMAGE"] = std::move(only.image);
    layers.model_environment = std::move(only.environment);
    layers.flags = std::move(only.machine);
    layers.steps.clear();
  }
  for (const auto& [name, value] : options.machine) layers.flags.insert({name, value});
  layers.job_environment = std::move(parsed.environment);
  layers.api_members = std::move(parsed.members);
  layers.process_environment = api_defaults();
  return layers;
}

ModelPtr model_record(const StoredModel& stored, const ServiceOptions& options) {
  Result<ModelRecord> parsed = parse_model(stored.request, options);
  ModelRecord record = parsed ? std::move(*parsed) : ModelRecord();
  record.name = stored.name;
  record.arn = make_arn(options, "model", stored.name);
  record.request = stored.request;
  record.creation_time = seconds_of(stored.created_ms);
  return std::make_shared<const ModelRecord>(std::move(record));
}

JobPtr job_record(const StoredJob& stored, const ServiceOptions& options) {
  Result<TransformJobRecord> parsed = parse_job(stored.request, options);
  TransformJobRecord record = parsed ? std::move(*parsed) : TransformJobRecord();
  record.name = stored.name;
  record.arn = make_arn(options, "transform-job", stored.name);
  record.request = stored.request;
  record.creation_time = seconds_of(stored.created_ms);
  return job_record(stored, std::move(record));
}

JobPtr job_record(const StoredJob& stored, TransformJobRecord before) {
  TransformJobRecord& record = before;
  record.status = stored.status;
  record.failure_reason = stored.failure_reason;
  record.last_modified_time = seconds_of(stored.modified_ms);
  record.start_time.reset();
  record.end_time.reset();
  if (stored.started_ms > 0) record.start_time = seconds_of(stored.started_ms);
  if (stored.ended_ms > 0) record.end_time = seconds_of(stored.ended_ms);
  return std::make_shared<const TransformJobRecord>(std::move(record));
}

}  // namespace millrace::jobs
