// concurrently(): the same small task many times, by several threads: each waits for a store most
// of the time.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <thread>
#include <vector>

#include "base/background.h"
#include "base/limits.h"

namespace millrace::transform {

// Runs `task(0)` to `task(count - 1)`, in any order, and waits for all.
template <class Task>
void concurrently(size_t count, Task task) {
  std::atomic<size_t> next = 0;
  const auto work = [&] {
    for (size_t k = next++; k < count; k = next++) task(k);
  };
  std::vector<std::thread> threads;
  const size_t others = std::min<size_t>(count, limits::kLanesMax) - (count > 0 ? 1 : 0);
  for (size_t i = 0; i < others; ++i) {
    Result<std::thread> thread = start_thread(work);
    if (!thread) break;  // those that there are do it
    threads.push_back(std::move(*thread));
  }
  work();
  for (std::thread& thread : threads) thread.join();
}

}  // namespace millrace::transform
