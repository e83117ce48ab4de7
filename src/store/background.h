// Runs one function on another thread and hands back its result. Where no thread can be had, it
// runs in the one that asks for the result.
#pragma once

#include <future>
#include <system_error>
#include <utility>

namespace millrace::store {

template <class Function>
auto in_background(Function function) -> std::future<decltype(function())> {
  try {
    return std::async(std::launch::async, function);
  } catch (const std::system_error&) {
    return std::async(std::launch::deferred, std::move(function));
  }
}

}  // namespace millrace::store
