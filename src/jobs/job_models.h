// The models of a job, found and made ready: one, or those of a pipeline in order.
#pragma once

#include <string>
#include <vector>

#include "base/cancel.h"
#include "base/result.h"
#include "jobs/backends.h"
#include "jobs/job_settings.h"
#include "jobs/run_transform.h"
#include "record/format.h"

namespace millrace::jobs {

struct JobModel {
  std::string step;      // as messages call it: "step 2 (clean)"; "": the job's only model
  JobSettings settings;  // as they hold for this model
  Variables stated;      // its and the job's Environment, merged
  ModelArtifact artifact;
};

// Finds each model of the request; archives and the hub's are fetched. `settings`: the job's.
// invalid_argument, in a pipeline with the step's name: no such model, a wrong setting of a step.
Result<std::vector<JobModel>> find_models(const TransformRequest& request,
                                          const JobSettings& settings);

// As summaries call them: "sst2-small", "clean -> sst2-small".
std::string models_name(const std::vector<JobModel>& models);

// Loads or starts them in order, and makes a pipeline of several. Errors are load_handler's, with
// the step's name.
Result<LoadedHandler> load_models(const std::vector<JobModel>& models,
                                  const TransformRequest& request, const CancelToken& cancel);

// What models cannot do with a format: of a JSON array the native model takes the elements, others
// in the same pipeline the array; rows of Parquet have their texts already.
Status check_models(const LoadedHandler& loaded, const record::DataFormat& format);

// What tells the models of a pipeline from others; "": nothing does, or there is one model.
std::string steps_digest(const LoadedHandler& loaded);

}  // namespace millrace::jobs
