// What may be in flight at one time, over all lanes of a job: a budget of input bytes, and of
// requests where the handler must not see more than MaxConcurrentTransforms. A lane that has
// something in flight only tries; one that has nothing waits its turn. So whoever waits holds
// nothing that another could wait for, and there is no deadlock. Whose work comes first in the job
// has the first turn, so that objects end one after the other and not all of them at the end; and a
// large request is not passed by small ones for ever, as those before it come to an end.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <set>
#include <utility>

#include "base/cancel.h"

namespace millrace::transform {

class InFlight {
 public:
  // requests_max 0: no limit in number.
  InFlight(uint64_t bytes_max, uint32_t requests_max)
      : bytes_max_(bytes_max), requests_max_(requests_max) {}

  // False: there is no room now, or somebody waits for it.
  bool try_enter(uint64_t bytes);
  // Waits until nobody with a lower `order` does and there is room. A request larger than the
  // budget enters alone. False: cancelled. REQUIRES: the caller has nothing in flight.
  bool enter(uint64_t bytes, uint64_t order, const CancelToken& cancel);
  void leave(uint64_t bytes);

 private:
  bool has_room(uint64_t bytes) const;
  void take(uint64_t bytes);

  const uint64_t bytes_max_;
  const uint32_t requests_max_;
  std::mutex mutex_;
  std::condition_variable room_;
  uint64_t bytes_ = 0;
  uint32_t requests_ = 0;
  std::set<std::pair<uint64_t, uint64_t>> waiting_;  // order, number of arrival
  uint64_t arrivals_ = 0;
};

}  // namespace millrace::transform
