// StoreLock: a lock that is an object of a store, "lock/1". Its holder writes it anew all the time;
// whoever sees it unchanged for as long as it says it is good for takes it over by making the next
// one, "lock/2": the highest is the lock. So no clocks are compared. Where the server knows
// If-None-Match, only one can make it; where not, it is read back after it was written. A holder
// that finds a higher one, or another's name in its own, stops.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "transform/work_storage.h"

namespace millrace::transform {

class StoreLock {
 public:
  // `place` outlives the lock. `tick`: called each time the lock is renewed, by its thread.
  StoreLock(const StorePlace& place, std::function<void()> tick);
  ~StoreLock();  // gives it back

  // Waits as long as the holder may be gone. already_exists: somebody else holds it.
  Status take();
  // Ends the renewing, and removes the object if it is still ours.
  void give_back();

  void watch(const CancelToken& run);
  bool was_lost() const;

 private:
  struct Seen;  // the lock as it stands in the store
  Result<std::optional<Seen>> look() const;
  Status wait_for_end_of(const Seen& seen) const;
  Result<bool> make(uint64_t number);
  Status put(uint64_t number, bool overwrite);
  std::string text() const;
  void keep();
  void renew();
  void lose();
  std::string key(uint64_t number) const;
  std::chrono::milliseconds lease() const;

  const StorePlace& place_;
  const std::function<void()> tick_;
  const std::string owner_;
  uint64_t renewals_ = 0;
  uint64_t number_ = 0;  // of the lock that is ours
  bool held_ = false;

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  bool ending_ = false;
  bool lost_ = false;
  std::optional<CancelToken> run_;
  std::thread keeper_;
};

}  // namespace millrace::transform
