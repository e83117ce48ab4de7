// A ticket for each waiting lane keeps the order of arrival.
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
  if (served_ != next_ticket_ || !has_room(bytes)) return false;
  take(bytes);
  return true;
}

bool InFlight::enter(uint64_t bytes, const CancelToken& cancel) {
  // Nobody is woken by a cancel token, so waiting looks at it this often.
  constexpr auto kCancelPoll = std::chrono::milliseconds(20);
  std::unique_lock lock(mutex_);
  const uint64_t ticket = next_ticket_++;
  bool entered = false;
  // A ticket is served in its turn even when it is cancelled: those before it leave as fast.
  for (;;) {
    if (served_ == ticket) {
      entered = !cancel.cancelled() && has_room(bytes);
      if (entered || cancel.cancelled()) break;
    }
    room_.wait_for(lock, kCancelPoll);
  }
  if (entered) take(bytes);
  ++served_;
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
