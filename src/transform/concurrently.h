// concurrently(): the same small task many times, by several threads: each waits for a store most
// of the time.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>

#include "base/background.h"
#include "base/limits.h"

namespace millrace::transform {

// Runs `task(0)` to `task(count - 1)`, in any order, and waits for all.
template <class Task>
void concurrently(size_t count, Task task) {
  std::atomic<size_t> next = 0;
  on_threads(std::min<size_t>(count, limits::kLanesMax), [&] {
    for (size_t k = next++; k < count; k = next++) task(k);
  });
}

}  // namespace millrace::transform
