// How much memory this machine, or the container that we run in, can still give.
#pragma once

#include <cstdint>
#include <string_view>

namespace millrace::jobs {

// Bytes; 0: not known.
uint64_t free_memory();

// The number behind "name:" in a table as /proc/meminfo is one, in bytes; 0: not there.
uint64_t meminfo_bytes(std::string_view table, std::string_view name);

}  // namespace millrace::jobs
