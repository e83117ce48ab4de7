// Small file work that the work area's journal, plan and staged parts share: whole writes, whole
// replacements, and lines of percent-encoded fields.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace millrace::transform {

Status write_all(int fd, std::string_view bytes);

// `file` holds `bytes`, or what it held before: temporary file, sync, rename, sync of the folder.
Status replace_file(const std::filesystem::path& file, std::string_view bytes);
Status sync_folder(const std::filesystem::path& folder);

// Fields percent-encoded where they are not plain, tabs between them, '\n' at the end.
std::string format_line(const std::vector<std::string>& fields);
// The reverse, of a line without its '\n'. Empty: not such a line.
std::vector<std::string> parse_line(std::string_view line);

}  // namespace millrace::transform
