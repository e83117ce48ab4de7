// Where jobs keep their work areas: --work-dir, a folder or a prefix in S3, by default the user's
// state folder.
#pragma once

#include <memory>
#include <string>

#include "base/cancel.h"
#include "base/result.h"
#include "jobs/backends.h"
#include "jobs/job_options.h"
#include "jobs/job_settings.h"
#include "jobs/locations.h"
#include "store/object_store.h"
#include "transform/work_storage.h"

namespace millrace::jobs {

// `work_dir` as in JobSettings. S3: the prefix ends in '/' or is empty.
Result<store::Location> work_location(const std::string& work_dir, const Variables& environment);

// Refuses a work area or a result cache that would lie below the outputs, or be read as an input.
Status check_apart_from_work(const JobSettings& settings, const store::Location& work,
                             const InputLocation& input, const OutputLocation& output);

// The area of one job. `cancel`: ends the wait for a lock whose holder may be gone. What is kept in
// S3 is written to the end although the job is cancelled.
Result<std::unique_ptr<transform::WorkStorage>> open_work_storage(const store::Location& work,
                                                                  const std::string& job_name,
                                                                  const JobSettings& settings,
                                                                  const Notice& notice,
                                                                  const CancelToken& cancel);

}  // namespace millrace::jobs
