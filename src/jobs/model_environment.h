// What a model that we start finds in its environment.
#pragma once

#include "jobs/job_options.h"
#include "jobs/job_settings.h"

namespace millrace::jobs {

// SageMaker's variables for batch transform (of the job's parameters only those that the job
// states), over them the model's and the job's Environment, as `stated` has them merged. Of this
// process's own environment only what programs need to run (PATH, HOME, locale, library paths,
// thread counts, ...): no keys and no secrets, unless the settings pass AWS's on.
Variables model_environment(const JobSettings& settings, const Variables& process,
                            const Variables& stated, const std::string& model_folder);

}  // namespace millrace::jobs
