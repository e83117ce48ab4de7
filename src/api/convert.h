// Between the house's own words and the library's: results, option names, the process around us.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "jobs/job_options.h"
#include "millrace/outcome.h"

namespace millrace::api {

Failure to_failure(Error error);

// Options spelled as flags without dashes ("text-column") by their names in the table
// ("TEXT_COLUMN"). `model_only`: only those that the native model reads. An unknown name is
// invalid_argument.
Result<jobs::Variables> option_variables(const std::map<std::string, std::string>& options,
                                         bool model_only);

jobs::Variables process_variables();

// Where models that ship with Millrace lie, in the order to look.
std::vector<std::filesystem::path> shipped_model_folders(const jobs::Variables& environment);

}  // namespace millrace::api
