// A command's flags from a file: `name = value` lines, where name is a flag without its dashes, '#'
// begins a comment, and a flag that may be given several times stands on several lines.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace millrace::cli {

using ConfigLines = std::vector<std::pair<std::string, std::string>>;

// invalid_argument names the line that is no `name = value`.
Result<ConfigLines> parse_config(std::string_view text);
// Sets what neither the command line nor the environment set. invalid_argument: the file, a name
// that `command` has no flag of, a value that the flag does not take.
Status apply_config_file(const std::filesystem::path& file, CLI::App* command);

}  // namespace millrace::cli
