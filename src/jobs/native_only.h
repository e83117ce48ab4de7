// Settings that only the native model knows, where another model serves the job.
#pragma once

#include <functional>
#include <string_view>

#include "base/result.h"
#include "jobs/job_settings.h"

namespace millrace::jobs {

// For a job without a native model. invalid_argument names the flags that would do nothing: who
// types one means it. What stands in a variable only leaves a notice, because the model's own code
// may read it, and one Environment may serve several models. What a service's operator sets for all
// jobs is neither.
Status refuse_native_settings(const JobSettings& settings,
                              const std::function<void(std::string_view)>& notice);

}  // namespace millrace::jobs
