#include "base/retry.h"

#include <memory>
#include <mutex>
#include <random>

namespace millrace {

Jitter random_jitter() {
  struct State {
    std::mutex mutex;
    std::mt19937_64 engine{std::random_device{}()};
  };
  return [state = std::make_shared<State>()] {
    const std::lock_guard lock(state->mutex);
    return std::uniform_real_distribution<double>(0, 1)(state->engine);
  };
}

}  // namespace millrace
