// Those that wait stand in a queue: by their order, and of one order by arrival.
#include "transform/in_flight.h"

#include <chrono>

#include "base/check.h"

namespace millrace::transform {

bool InFlight::has_room(uint64_t bytes) const {
  if (requests_max_ != 0 && requests_ >= requests_max_) return false;
  return requests_ == 0 || bytes_ + bytes <= bytes_max_;
}

void InFlight::take(uint64_t bytes) {
  bytes_ += bytes;
  ++requests_;
}

bool InFlight::try_enter(uint64_t bytes) {
  std::lock_guard lock(mutex_);
  if (!waiting_.empty() || !has_room(bytes)) return false;
  take(bytes);
  return true;
}

bool InFlight::enter(uint64_t bytes, uint64_t order, const CancelToken& cancel) {
  // Nobody is woken by a cancel token, so waiting looks at it this often.
  constexpr auto kCancelPoll = std::chrono::milliseconds(20);
  std::unique_lock lock(mutex_);
  const auto place = waiting_.emplace(order, arrivals_++).first;
  const auto may_enter = [&] { return place == waiting_.begin() && has_room(bytes); };
  while (!cancel.cancelled() && !may_enter()) room_.wait_for(lock, kCancelPoll);
  const bool entered = !cancel.cancelled() && may_enter();
  waiting_.erase(place);
  if (entered) take(bytes);
  room_.notify_all();
  return entered;
}

void InFlight::leave(uint64_t bytes) {
  std::lock_guard lock(mutex_);
  MR_CHECK(requests_ > 0 && bytes_ >= bytes);
  bytes_ -= bytes;
  --requests_;
  room_.notify_all();
}

}  // namespace millrace::transform
