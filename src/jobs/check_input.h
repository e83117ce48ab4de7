// What CreateTransformJob refuses at once: an input that does not exist.
#pragma once

#include <string>

#include "base/cancel.h"
#include "base/result.h"
#include "jobs/job_settings.h"

namespace millrace::jobs {

// Finds at least one object under the input's prefix (a manifest is only read when the job runs, as
// on SageMaker). invalid_argument, in SageMaker's words, for none; unavailable where the store
// could not be asked.
Status check_input(const JobSettings& settings, const std::string& role, const std::string& region,
                   const CancelToken& cancel);

}  // namespace millrace::jobs
