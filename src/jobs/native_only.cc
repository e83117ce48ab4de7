#include "jobs/native_only.h"

#include <fmt/format.h>

#include <string>
#include <vector>

namespace millrace::jobs {

Status refuse_native_settings(const JobSettings& settings,
                              const std::function<void(std::string_view)>& notice) {
  std::vector<std::string> flags, variables;
  for (const std::string& source : settings.native_sources) {
    (source.starts_with("--") ? flags : variables).push_back(source);
  }
  if (!flags.empty() && !settings.as_api) {
    return fail(invalid_argument(fmt::format(
        "{}: for the native model only; this job's model would not be given it. Leave it out, or "
        "give the model's own code or server what it needs",
        fmt::join(flags, ", "))));
  }
  if (!variables.empty()) {
    notice(
        fmt::format("{}: for the native model only; this job's model gets it as a variable of "
                    "its environment at most",
                    fmt::join(variables, ", ")));
  }
  return {};
}

}  // namespace millrace::jobs
