// Programs of this machine that a job starts: an interpreter, a container engine.
#pragma once

#include <filesystem>
#include <string_view>

namespace millrace::jobs {

// A file that this user may execute.
bool is_program(const std::filesystem::path& path);
// The program of that name in the first of the folders of `path` (as the variable PATH has them)
// that has it. Relative folders do not count: a model's folder may be the current one. Empty: none.
std::filesystem::path find_in_path(std::string_view name, std::string_view path);

}  // namespace millrace::jobs
