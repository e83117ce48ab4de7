// The budget of what is in flight: never exceeded, no deadlock, nobody passed over for ever.
#include "transform/in_flight.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

namespace millrace::transform {
namespace {

TEST(InFlight, AdmitsUpToItsBudgetAndALargerRequestAlone) {
  InFlight in_flight(100, 0);
  EXPECT_TRUE(in_flight.try_enter(60));
  EXPECT_TRUE(in_flight.try_enter(40));
  EXPECT_FALSE(in_flight.try_enter(1));
  in_flight.leave(60);
  in_flight.leave(40);
  EXPECT_TRUE(in_flight.try_enter(1000));
  EXPECT_FALSE(in_flight.try_enter(0 + 1));
  in_flight.leave(1000);
}

TEST(InFlight, CountsRequestsWhereTheHandlerAsksForIt) {
  InFlight in_flight(1000, 2);
  EXPECT_TRUE(in_flight.try_enter(1));
  EXPECT_TRUE(in_flight.try_enter(1));
  EXPECT_FALSE(in_flight.try_enter(1));
  in_flight.leave(1);
  EXPECT_TRUE(in_flight.try_enter(1));
  in_flight.leave(1);
  in_flight.leave(1);
}

TEST(InFlight, WaitingEndsWhenCancelled) {
  InFlight in_flight(10, 0);
  ASSERT_TRUE(in_flight.try_enter(10));
  const CancelToken cancel;
  std::thread waiter([&] { EXPECT_FALSE(in_flight.enter(5, 0, cancel)); });
  cancel.cancel();
  waiter.join();
  in_flight.leave(10);
  EXPECT_TRUE(in_flight.try_enter(10));  // who gave up holds nobody up
  in_flight.leave(10);
}

TEST(InFlight, ALargeRequestThatWaitsIsNotPassedBySmallOnes) {
  InFlight in_flight(100, 0);
  ASSERT_TRUE(in_flight.try_enter(10));
  std::atomic<bool> entered{false};
  std::thread large([&] {
    EXPECT_TRUE(in_flight.enter(100, 0, CancelToken()));
    entered = true;
    in_flight.leave(100);
  });
  while (in_flight.try_enter(1)) in_flight.leave(1);  // until the large one waits
  EXPECT_FALSE(entered);
  in_flight.leave(10);
  large.join();
  EXPECT_TRUE(entered);
}

TEST(InFlight, OfThoseThatWaitTheFirstOfTheJobEntersFirst) {
  InFlight in_flight(100, 1);
  ASSERT_TRUE(in_flight.try_enter(1));
  std::vector<uint64_t> entered;
  std::vector<std::thread> lanes;
  std::atomic<int> waiting{0};
  for (const uint64_t order : {7U, 3U, 9U, 1U}) {
    lanes.emplace_back([&, order] {
      ++waiting;
      ASSERT_TRUE(in_flight.enter(1, order, CancelToken()));
      entered.push_back(order);  // one at a time may
      in_flight.leave(1);
    });
  }
  while (waiting < 4) std::this_thread::yield();
  std::this_thread::sleep_for(std::chrono::milliseconds(50));  // all of them wait by now
  in_flight.leave(1);
  for (std::thread& lane : lanes) lane.join();
  EXPECT_EQ(entered, (std::vector<uint64_t>{1, 3, 7, 9}));
}

TEST(InFlight, ManyLanesAllGetThroughAndTheBudgetHolds) {
  InFlight in_flight(50, 3);
  std::atomic<int> now{0};
  std::atomic<int> most{0};
  std::vector<std::thread> lanes;
  for (uint64_t lane = 0; lane < 8; ++lane) {
    lanes.emplace_back([&, lane] {
      for (uint64_t i = 0; i < 200; ++i) {
        const uint64_t bytes = (lane * 31 + i * 17) % 70;
        ASSERT_TRUE(in_flight.enter(bytes, lane, CancelToken()));
        const int seen = ++now;
        for (int before = most; before < seen && !most.compare_exchange_weak(before, seen);) {
        }
        --now;
        in_flight.leave(bytes);
      }
    });
  }
  for (std::thread& lane : lanes) lane.join();
  EXPECT_LE(most, 3);
}

}  // namespace
}  // namespace millrace::transform
