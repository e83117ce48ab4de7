// Threads, where there may be none to be had: limits on memory and processes (ulimit -v, -u,
// containers') are the machine's to set, and no reason to end in the midst of work.
#pragma once

#include <cstddef>
#include <future>
#include <new>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "base/result.h"

namespace millrace {

// internal: no thread can be started.
template <class Function>
Result<std::thread> start_thread(Function function) {
  std::string why;
  try {
    return std::thread(std::move(function));
  } catch (const std::system_error& error) {
    why = error.code().message();
  } catch (const std::bad_alloc&) {
    why = "out of memory";
  }
  return fail(internal_error("cannot start a thread: " + why +
                             " (limits on memory or processes: ulimit -v, ulimit -u, or those of a "
                             "container)"));
}

// Runs `work` on `count` threads, the calling one among them, and waits for all. Where fewer are to
// be had, those do it: `work` takes up what is left until nothing is.
template <class Function>
void on_threads(size_t count, const Function& work) {
  std::vector<std::thread> others;
  for (size_t i = 1; i < count; ++i) {
    Result<std::thread> other = start_thread(work);
    if (!other) break;
    others.push_back(std::move(*other));
  }
  work();
  for (std::thread& other : others) other.join();
}

// Runs one function on another thread and hands back its result. Where no thread can be had, it
// runs in the one that asks for the result.
template <class Function>
auto in_background(Function function) -> std::future<decltype(function())> {
  try {
    return std::async(std::launch::async, function);
  } catch (const std::system_error&) {
    return std::async(std::launch::deferred, std::move(function));
  }
}

}  // namespace millrace
