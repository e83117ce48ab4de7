// The handler unwinds and stores numbers. Unwinding in a signal is safe where nothing is loaded or
// thrown meanwhile, as here; its first use, which loads code, is not in the handler.
#include "bench/sampler.h"

#include <execinfo.h>
#include <link.h>
#include <signal.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <vector>

namespace millrace::bench {
namespace {

constexpr int kIntervalMicroseconds = 2000;
constexpr size_t kDepth = 5;          // a kernel and whoever asked for it
constexpr size_t kHandlerFrames = 2;  // the handler itself and the kernel's trampoline
using Frames = std::array<void*, kDepth>;
std::array<Frames, 1 << 14> g_samples;
std::atomic<size_t> g_count{0};

void on_tick(int) {
  std::array<void*, kDepth + kHandlerFrames> frames = {};
  backtrace(frames.data(), static_cast<int>(frames.size()));
  const size_t i = g_count.fetch_add(1);
  if (i >= g_samples.size()) return;
  std::copy(frames.begin() + kHandlerFrames, frames.end(), g_samples[i].begin());
}

void set_timer(int microseconds) {
  itimerval timer = {};
  timer.it_interval.tv_usec = microseconds;
  timer.it_value.tv_usec = microseconds;
  setitimer(ITIMER_PROF, &timer, nullptr);
}

struct Image {
  uintptr_t base = 0;
  uintptr_t end = 0;
};

// The executable is the first object that the loader tells of.
int first_object(dl_phdr_info* info, size_t, void* to) {
  auto* image = static_cast<Image*>(to);
  image->base = info->dlpi_addr;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const auto& segment = info->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD) continue;
    image->end = std::max(image->end, info->dlpi_addr + segment.p_vaddr + segment.p_memsz);
  }
  return 1;
}

}  // namespace

void start_sampling() {
  void* first = nullptr;
  backtrace(&first, 1);
  struct sigaction action = {};
  action.sa_handler = on_tick;
  action.sa_flags = SA_RESTART;
  sigaction(SIGPROF, &action, nullptr);
  set_timer(kIntervalMicroseconds);
}

nlohmann::ordered_json stop_sampling() {
  set_timer(0);
  Image image;
  dl_iterate_phdr(first_object, &image);
  std::map<std::vector<int64_t>, int> counts;
  for (size_t i = 0; i < std::min(g_count.load(), g_samples.size()); ++i) {
    std::vector<int64_t> offsets;
    for (void* const frame : g_samples[i]) {
      const auto at = reinterpret_cast<uintptr_t>(frame);
      const bool inside = at >= image.base && at < image.end;
      offsets.push_back(inside ? static_cast<int64_t>(at - image.base) : -1);
    }
    ++counts[offsets];
  }
  auto pairs = nlohmann::ordered_json::array();
  for (const auto& [offsets, count] : counts) pairs.push_back({offsets, count});
  return pairs;
}

}  // namespace millrace::bench
