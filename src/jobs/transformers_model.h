// Models in Hugging Face layout that the native engine does not run, for their architecture or for
// their task: Transformers does, behind the Python handler, where the user names a Python that has
// it.
#pragma once

#include <filesystem>
#include <optional>

#include "base/result.h"
#include "jobs/job_options.h"
#include "jobs/job_settings.h"
#include "jobs/python_model.h"

namespace millrace::jobs {

// What stands in for the code of the model in `folder`, which has none; nullopt: the native engine
// runs it, or says better what is wrong with it. `stated`: the model's and the job's Environment.
// `program`: millrace itself. invalid_argument: why the native engine does not run it, where the
// settings name neither --python nor --image.
Result<std::optional<PythonModel>> find_transformers_model(const std::filesystem::path& folder,
                                                           const Variables& stated,
                                                           const JobSettings& settings,
                                                           const std::filesystem::path& program);

}  // namespace millrace::jobs
