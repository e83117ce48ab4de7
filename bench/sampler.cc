// The handler only stores a number: nothing else is safe in a signal.
#include "bench/sampler.h"

#include <link.h>
#include <signal.h>
#include <sys/time.h>
#include <ucontext.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <map>

namespace millrace::bench {
namespace {

constexpr int kIntervalMicroseconds = 2000;
std::array<std::atomic<uintptr_t>, 1 << 16> g_samples;
std::atomic<size_t> g_count{0};

void on_tick(int, siginfo_t*, void* context) {
  const mcontext_t& machine = static_cast<ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
  const auto at = static_cast<uintptr_t>(machine.gregs[REG_RIP]);
#elif defined(__aarch64__)
  const auto at = static_cast<uintptr_t>(machine.pc);
#else
#error "where is the instruction pointer?"
#endif
  const size_t i = g_count.fetch_add(1);
  if (i < g_samples.size()) g_samples[i] = at;
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
  struct sigaction action = {};
  action.sa_sigaction = on_tick;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  sigaction(SIGPROF, &action, nullptr);
  set_timer(kIntervalMicroseconds);
}

nlohmann::ordered_json stop_sampling() {
  set_timer(0);
  Image image;
  dl_iterate_phdr(first_object, &image);
  std::map<int64_t, int> counts;
  for (size_t i = 0; i < std::min(g_count.load(), g_samples.size()); ++i) {
    const uintptr_t at = g_samples[i];
    const bool inside = at >= image.base && at < image.end;
    ++counts[inside ? static_cast<int64_t>(at - image.base) : -1];
  }
  auto pairs = nlohmann::ordered_json::array();
  for (const auto& [offset, count] : counts) pairs.push_back({offset, count});
  return pairs;
}

}  // namespace millrace::bench
