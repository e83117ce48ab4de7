// A job of one model and a pipeline go the same way; only names differ.
#include "jobs/job_models.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>
#include <thread>
#include <utility>

#include "handler/native_request.h"
#include "handler/pipeline_handler.h"
#include "jobs/native_only.h"
#include "jobs/user_folders.h"

namespace millrace::jobs {
namespace {

namespace fs = std::filesystem;

// As the loaders mark what a model's process prints.
constexpr std::string_view kModelLine = "model: ";

ArtifactOptions artifact_options(const TransformRequest& request, const JobSettings& settings,
                                 const Variables& stated) {
  ArtifactOptions options;
  options.shipped_model_folders = request.shipped_model_folders;
  options.cache_folder = cache_folder(request.environment) / "models";
  options.make_store = [settings, cancel = request.cancel](const store::Location& location) {
    return make_store(location, settings, cancel);
  };
  options.notice = request.notice;
  options.cancel = request.cancel;
  // Of what a job states only its own token: where the hub and its cache are is this machine's
  // matter, and a job that named another endpoint would be sent this machine's token.
  Variables environment = request.environment;
  for (const char* name : {"HF_TOKEN", "HF_API_TOKEN", "HF_HUB_OFFLINE"}) {
    if (const auto found = stated.find(name); found != stated.end()) {
      environment[name] = found->second;
    }
  }
  options.hub = hub_options(environment);
  options.hub.notice = request.notice;
  options.hub.cancel = request.cancel;
  return options;
}

Result<ModelArtifact> locate(const TransformRequest& request, const JobModel& model) {
  const JobSettings& settings = model.settings;
  // At most one of them is given.
  const std::string started = settings.model_image + settings.model_command;
  if (is_model_url(settings.model)) {
    if (started.empty()) return ModelArtifact{{}, settings.model};
    return fail(invalid_argument(
        fmt::format("{} starts a server; --model names another that runs",
                    settings.model_image.empty() ? "--model-command" : "--model-image")));
  }
  if (!started.empty() && settings.model.empty()) return ModelArtifact{{}, started};
  const ArtifactOptions options = artifact_options(request, settings, model.stated);
  const auto hub_model = model.stated.find("HF_MODEL_ID");
  if (!settings.model.empty() || hub_model == model.stated.end()) {
    return find_model(settings.model, options);
  }
  // As in AWS's Hugging Face images: a model of the hub, or a folder.
  std::error_code ignored;
  if (fs::is_directory(hub_model->second, ignored)) return find_model(hub_model->second, options);
  const auto revision = model.stated.find("HF_MODEL_REVISION");
  return find_model(
      "hf://" + hub_model->second + (revision == model.stated.end() ? "" : "@" + revision->second),
      options);
}

// The job's own stays.
Variables merged(const Variables& job, const Variables& model) {
  Variables stated = job;
  stated.insert(model.begin(), model.end());
  return stated;
}

Result<JobModel> find_step(const TransformRequest& request, const JobSettings& settings,
                           size_t index) {
  const SettingLayers& layers = request.layers;
  MR_ASSIGN(const Settings own, merge_step_settings(layers, index));
  JobModel model;
  MR_ASSIGN(model.settings, check_settings(own, settings.threads));
  model.settings.as_api = settings.as_api;
  model.settings.result_cache = settings.result_cache;  // a dry run has none
  model.stated = merged(layers.job_environment, layers.steps[index].environment);
  MR_ASSIGN(model.artifact, locate(request, model));
  return model;
}

// "step 2 (clean)": its name, else its model's.
std::string step_label(size_t index, const StepLayer& layer, const std::string& model) {
  return fmt::format("step {} ({})", index + 1, layer.name.empty() ? model : layer.name);
}

Result<std::vector<JobModel>> find_steps(const TransformRequest& request,
                                         const JobSettings& settings) {
  if (!settings.model_command.empty() || !settings.model_image.empty()) {
    return fail(invalid_argument(
        "--model-command and --model-image start one server, and this is a pipeline: name them in "
        "the Environment of its step, as MILLRACE_MODEL_COMMAND or MILLRACE_MODEL_IMAGE"));
  }
  std::vector<JobModel> models;
  const auto& steps = request.layers.steps;
  for (size_t i = 0; i < steps.size(); ++i) {
    auto model = find_step(request, settings, i);
    if (!model)
      return fail(std::move(model).error().within(step_label(i, steps[i], steps[i].model)));
    model->step = step_label(i, steps[i], model->artifact.name);
    models.push_back(std::move(*model));
  }
  return models;
}

// What a model says is told with its step.
Notice step_notice(const Notice& notice, const std::string& step) {
  if (step.empty()) return notice;
  return [notice, step](std::string_view text) {
    if (text.starts_with(kModelLine)) {
      notice(fmt::format("{}{}: {}", kModelLine, step, text.substr(kModelLine.size())));
    } else {
      notice(fmt::format("{}: {}", step, text));
    }
  };
}

ModelHost host_of(const TransformRequest& request, const JobModel& model) {
  ModelHost host;
  host.notice = step_notice(request.notice, model.step);
  host.in_pipeline = !model.step.empty();
  host.program = request.program;
  host.models = request.models;
  host.environment = request.environment;
  host.stated_environment = model.stated;
  host.artifacts = artifact_options(request, model.settings, model.stated);
  return host;
}

}  // namespace

Result<std::vector<JobModel>> find_models(const TransformRequest& request,
                                          const JobSettings& settings) {
  if (!request.layers.steps.empty()) return find_steps(request, settings);
  JobModel model;
  model.settings = settings;
  model.stated = merged(request.layers.job_environment, request.layers.model_environment);
  MR_ASSIGN(model.artifact, locate(request, model));
  if (model.artifact.name == kDefaultModel && settings.model.empty()) {
    request.notice("model: " + model.artifact.name + " (the default)");
  }
  std::vector<JobModel> models;
  models.push_back(std::move(model));
  return models;
}

std::string models_name(const std::vector<JobModel>& models) {
  std::string name;
  for (const JobModel& model : models) {
    if (!name.empty()) name += " -> ";
    name += model.artifact.name;
  }
  return name;
}

Result<LoadedHandler> load_models(const std::vector<JobModel>& models,
                                  const TransformRequest& request, const CancelToken& cancel) {
  if (models.size() == 1) {
    const JobModel& only = models.front();
    return load_handler(only.artifact, only.settings, host_of(request, only), cancel);
  }
  bool any_native = false;
  handler::PipelineHandlerOptions pipeline;
  pipeline.max_concurrent_transforms = models.front().settings.max_concurrent_transforms;
  LoadedHandler out;
  for (const JobModel& model : models) {
    auto loaded = load_handler(model.artifact, model.settings, host_of(request, model), cancel);
    if (!loaded) return fail(std::move(loaded).error().within(model.step));
    LoadedStep step;
    step.label = model.step;
    step.model_name = model.artifact.name;
    step.identity = loaded->handler->traits().identity;
    step.reads_records_alone = loaded->handler->traits().reads_records_alone;
    if (loaded->model != nullptr) step.model = loaded->model->info();
    any_native |= loaded->model != nullptr;
    out.steps.push_back(std::move(step));
    pipeline.steps.push_back({model.step, std::move(loaded->handler)});
  }
  if (!any_native) MR_TRY(refuse_native_settings(models.front().settings, request.notice));
  out.handler = handler::make_pipeline_handler(std::move(pipeline));
  return out;
}

Status check_models(const LoadedHandler& loaded, const record::DataFormat& format) {
  // It would be wrong for each record alike, and is none of a record's fault.
  const bool native = loaded.model != nullptr && loaded.steps.empty();
  if (native && format.split_type != record::SplitType::kParquet) {
    if (Status types = handler::check_native_types(format.content_type, format.accept); !types) {
      return fail(invalid_argument(types.error().message));
    }
  }
  const bool echoes = loaded.handler->traits().result_shape == handler::ResultShape::kEchoed;
  if (echoes && format.split_type == record::SplitType::kParquet) {
    return fail(
        invalid_argument("--echo-input does not go with Parquet objects: a row's text stands "
                         "beside its results already"));
  }
  const bool arrays = format.split_type == record::SplitType::kJsonArray &&
                      format.batch_strategy == record::BatchStrategy::kMultiRecord;
  if (!arrays || loaded.steps.empty()) return {};
  const auto alone = [](const LoadedStep& step) { return step.reads_records_alone; };
  const bool mixed = std::any_of(loaded.steps.begin(), loaded.steps.end(), alone) &&
                     !std::all_of(loaded.steps.begin(), loaded.steps.end(), alone);
  if (!mixed) return {};
  return fail(invalid_argument(
      "--split-type JsonArray: in this pipeline the native model takes the elements one by one and "
      "other steps take arrays; add --batch-strategy SingleRecord, or give JSON Lines"));
}

std::string steps_digest(const LoadedHandler& loaded) {
  return loaded.steps.empty() ? "" : loaded.handler->traits().identity;
}

}  // namespace millrace::jobs
