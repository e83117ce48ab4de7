// What a requirements.txt installs, as far as it stands in files: for the name of the environment
// that is kept for it.
#pragma once

#include <filesystem>
#include <string>

#include "base/xxh3.h"

namespace millrace::jobs {

// Adds the content of the file and of each file that it names (-r more.txt, wheels/own.whl), from
// its own folder on; those that named files name too. What cannot be read counts as empty: pip will
// say so.
void add_requirements(const std::filesystem::path& file, Xxh3* digest);

}  // namespace millrace::jobs
