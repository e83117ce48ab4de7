#include "jobs/free_memory.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <string>

namespace millrace::jobs {
namespace {

std::string read_text(const char* path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

// 0: no number ("max", or no such file).
uint64_t read_number(const char* path) {
  const std::string text = read_text(path);
  uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

uint64_t meminfo_bytes(std::string_view table, std::string_view name) {
  const std::string wanted = std::string(name) + ":";
  for (size_t at = 0; at < table.size();) {
    const size_t end = std::min(table.find('\n', at), table.size());
    std::string_view line = table.substr(at, end - at);
    at = end + 1;
    if (!line.starts_with(wanted)) continue;
    line.remove_prefix(wanted.size());
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    uint64_t kib = 0;
    std::from_chars(line.data(), line.data() + line.size(), kib);
    return kib * 1024;
  }
  return 0;
}

uint64_t free_memory() {
  uint64_t free = meminfo_bytes(read_text("/proc/meminfo"), "MemAvailable");
  // A container's own bound (cgroup v2); file cache in it can be given back.
  const uint64_t most = read_number("/sys/fs/cgroup/memory.max");
  if (most > 0) {
    const uint64_t used = read_number("/sys/fs/cgroup/memory.current");
    free = std::min(free, most > used ? most - used : 1);
  }
  return free;
}

}  // namespace millrace::jobs
