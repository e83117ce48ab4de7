// The user's folders for what is kept between runs, as XDG has them.
#pragma once

#include <filesystem>

#include "base/result.h"
#include "jobs/job_options.h"

namespace millrace::jobs {

// $XDG_STATE_HOME/millrace, or its default below $HOME. invalid_argument: neither is set.
Result<std::filesystem::path> state_folder(const Variables& environment);
// Likewise $XDG_CACHE_HOME/millrace; where neither is set, below the folder for temporary files.
std::filesystem::path cache_folder(const Variables& environment);

}  // namespace millrace::jobs
