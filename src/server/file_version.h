// Tells a file that was changed or replaced since it was read from the one that was read.
#pragma once

#include <filesystem>
#include <string>

namespace millrace::server {

// Equal for what was not touched; "" where there is no such file. Links are followed.
std::string file_version(const std::filesystem::path& file);

}  // namespace millrace::server
