#include "jobs/user_folders.h"

#include <fmt/format.h>

namespace millrace::jobs {
namespace {

namespace fs = std::filesystem;

// One of XDG's folders: the variable, or its default below HOME.
Result<fs::path> xdg_folder(const Variables& environment, const char* variable,
                            const char* below_home) {
  const auto set = environment.find(variable);
  if (set != environment.end() && !set->second.empty()) return fs::path(set->second) / "millrace";
  const auto home = environment.find("HOME");
  if (home == environment.end() || home->second.empty()) {
    return fail(invalid_argument(
        fmt::format("neither {} nor HOME is set; name a folder with --work-dir", variable)));
  }
  return fs::path(home->second) / below_home / "millrace";
}

}  // namespace

Result<fs::path> state_folder(const Variables& environment) {
  return xdg_folder(environment, "XDG_STATE_HOME", ".local/state");
}

fs::path cache_folder(const Variables& environment) {
  const auto cache = xdg_folder(environment, "XDG_CACHE_HOME", ".cache");
  return cache ? *cache : fs::temp_directory_path() / "millrace";
}

}  // namespace millrace::jobs
