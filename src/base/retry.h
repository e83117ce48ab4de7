// The one retry loop: what is `unavailable` is tried again after exponential back-off with full
// jitter (a random wait between nothing and the bound), so that many clients that failed together
// do not come back together. Clock and jitter are injected; a cancelled wait ends at once.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>

#include "base/clock.h"
#include "base/limits.h"
#include "base/result.h"

namespace millrace {

// A random number in [0, 1). Called by several threads.
using Jitter = std::function<double()>;
Jitter random_jitter();

struct RetryPolicy {
  int attempts = limits::kNetworkAttempts;
  std::chrono::milliseconds first_delay{limits::kRetryFirstDelayMs};
  std::chrono::milliseconds delay_max{limits::kRetryDelayMaxMs};
};

struct Retrying {
  RetryPolicy policy;
  Clock* clock = &real_clock();
  Jitter jitter = random_jitter();
};

// Calls `attempt()`, which answers a Result, until it succeeds, fails for good, or has been
// unavailable `policy.attempts` times. The last error says so.
template <class Attempt>
auto retry(const Retrying& how, const CancelToken& cancel, Attempt attempt) -> decltype(attempt()) {
  std::chrono::milliseconds bound = how.policy.first_delay;
  for (int tried = 1;; ++tried) {
    if (cancel.cancelled()) return fail(cancelled("cancelled"));
    auto result = attempt();
    if (result || result.error().code != Code::kUnavailable) return result;
    if (tried >= how.policy.attempts) {
      if (tried > 1) result.error().message += " (after " + std::to_string(tried) + " attempts)";
      return result;
    }
    const auto wait = std::chrono::duration_cast<std::chrono::milliseconds>(how.jitter() * bound);
    if (!how.clock->sleep(wait, cancel)) return fail(cancelled("cancelled"));
    bound = std::min(bound * 2, how.policy.delay_max);
  }
}

}  // namespace millrace
