// Composition: which store serves a location and which handler serves a model. The one place of the
// job runner that names concrete classes.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/cancel.h"
#include "handler/inference_handler.h"
#include "handler/native_options.h"
#include "jobs/job_settings.h"
#include "jobs/model_artifact.h"
#include "jobs/model_cache.h"
#include "model/text_classification_model.h"
#include "store/object_store.h"

namespace millrace::jobs {

// A model and the checked settings that shape its answers.
struct LoadedModel {
  std::shared_ptr<const model::TextClassificationModel> model;
  handler::NativeOptions options;
};
// `models`: where it may be loaded already, or null.
Result<LoadedModel> load_model(const ModelArtifact& artifact, const JobSettings& settings,
                               ModelCache* models = nullptr);

// What a summary says of one step of a pipeline.
struct LoadedStep {
  std::string label;  // "step 2 (clean)"
  std::string model_name;
  std::string identity;                   // as HandlerTraits has it
  bool reads_records_alone = false;       // likewise
  std::optional<model::ModelInfo> model;  // of the native one
};

// A model made ready, and what a summary says of it.
struct LoadedHandler {
  std::unique_ptr<handler::InferenceHandler> handler;
  std::shared_ptr<const model::TextClassificationModel> model;  // null: not the native one
  std::vector<LoadedStep> steps;                                // of a pipeline, in order
};

// Told what a user should know and is no error.
using Notice = std::function<void(std::string_view)>;

// "http://host:port": --model names a server that runs already.
bool is_model_url(const std::string& model);

// What a model that is no part of this process needs of it.
struct ModelHost {
  Notice notice;
  std::filesystem::path program;  // millrace itself; empty: there is none
  Variables environment;          // this process's
  Variables stated_environment;   // the model's and the job's Environment, merged
  ModelCache* models = nullptr;   // native ones that stay loaded; null: none do
  ArtifactOptions artifacts;      // for code that lies elsewhere; its cache
  bool in_pipeline = false;       // the native model's settings may be another step's
};

// Makes ready what `settings` name: a model server that runs or that we start (waits until it is
// ready, see handler/http_handler.h), the Python code that the artefact has, or the native model in
// its folder.
Result<LoadedHandler> load_handler(const ModelArtifact& artifact, const JobSettings& settings,
                                   const ModelHost& host, const CancelToken& cancel);

// Loads the artefact's model for `settings` (precision, ISA, threads, native options) and opens the
// result cache that they name.
Result<LoadedHandler> load_native_handler(const ModelArtifact& artifact,
                                          const JobSettings& settings,
                                          ModelCache* models = nullptr);

// A store for `location`: its bucket, or the folder `location.path`.
Result<std::unique_ptr<store::ObjectStore>> make_store(const store::Location& location,
                                                       const JobSettings& settings,
                                                       const CancelToken& cancel);

}  // namespace millrace::jobs
