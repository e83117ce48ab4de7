#include "jobs/program_path.h"

#include <unistd.h>

#include <algorithm>
#include <system_error>

namespace millrace::jobs {

namespace fs = std::filesystem;

bool is_program(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored) && ::access(path.c_str(), X_OK) == 0;
}

fs::path find_in_path(std::string_view name, std::string_view path) {
  while (!path.empty()) {
    const std::string_view folder = path.substr(0, path.find(':'));
    const fs::path candidate = fs::path(folder) / name;
    if (candidate.is_absolute() && is_program(candidate)) return candidate;
    path.remove_prefix(std::min(folder.size() + 1, path.size()));
  }
  return {};
}

}  // namespace millrace::jobs
