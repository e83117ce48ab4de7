// A work area in an object store: one holder at a time, a journal that outlives the machine, files
// that are there whole or not at all, and jobs that go on from it whichever of its calls fails.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "transform/file_io.h"
#include "transform/journal.h"
#include "transform/testing/job_test.h"
#include "transform/work_area.h"

namespace millrace::transform {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using testing::answered;
using testing::JobTest;
using testing::lines;
using testing::MemoryStore;
using JobStatus = JobReport::Status;

constexpr milliseconds kLease(300);

std::unique_ptr<WorkStorage> storage_in(const std::shared_ptr<MemoryStore>& store,
                                        const CancelToken& cancel = {}) {
  StorePlace place;
  place.store = store;
  place.prefix = "w/j/";
  place.lease = kLease;
  place.cancel = cancel;
  return make_store_storage(std::move(place));
}

// A lock as a process on another machine wrote it.
void leave_lock(MemoryStore& store, int renewals, const std::string& lease = "300",
                int number = 1) {
  store.put("w/j/lock/000000000" + std::to_string(number),
            format_line({"lock", "them", lease, "far-away", "17", "boot pid:[1]", "99",
                         std::to_string(renewals)}));
}

class StoreStorageTest : public ::testing::Test {
 protected:
  const std::shared_ptr<MemoryStore> store_ = std::make_shared<MemoryStore>();
};

TEST_F(StoreStorageTest, ASecondHolderOnThisMachineIsRefusedAtOnce) {
  const auto first = storage_in(store_);
  ASSERT_TRUE(first->lock());
  const auto begun = steady_clock::now();
  const auto second = storage_in(store_);
  const Status refused = second->lock();
  ASSERT_FALSE(refused);
  EXPECT_LT(steady_clock::now() - begun, kLease);
  EXPECT_EQ(refused.error().code, Code::kAlreadyExists);
  EXPECT_NE(refused.error().message.find("s3://b/w/j/ is locked by process"), std::string::npos);
}

TEST_F(StoreStorageTest, TheLockIsGivenBack) {
  auto storage = storage_in(store_);
  ASSERT_TRUE(storage->lock());
  EXPECT_EQ(store_->all().size(), 1U);
  storage.reset();
  EXPECT_TRUE(store_->all().empty());
}

TEST_F(StoreStorageTest, ALockOfAMachineThatVanishedIsTakenOverWhenItsTimeIsOver) {
  leave_lock(*store_, 1);
  const auto begun = steady_clock::now();
  const auto storage = storage_in(store_);
  ASSERT_TRUE(storage->lock());
  EXPECT_GE(steady_clock::now() - begun, kLease);
}

TEST_F(StoreStorageTest, ALockThatIsRenewedIsNotTakenOver) {
  leave_lock(*store_, 1);
  std::thread holder([&] {
    std::this_thread::sleep_for(kLease / 2);
    leave_lock(*store_, 2);
  });
  const Status refused = storage_in(store_)->lock();
  holder.join();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kAlreadyExists);
  EXPECT_NE(refused.error().message.find("process 17 on far-away"), std::string::npos);
}

TEST_F(StoreStorageTest, WaitingForALockEndsWhenTheJobIsStopped) {
  leave_lock(*store_, 1, "60000");
  const CancelToken cancel;
  std::thread stopper([&] {
    std::this_thread::sleep_for(milliseconds(50));
    cancel.cancel();
  });
  const Status refused = storage_in(store_, cancel)->lock();
  stopper.join();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kCancelled);
}

TEST_F(StoreStorageTest, ALockThatCannotBeReadHasNoHolder) {
  for (const char* text : {"", "lock", "\xFF\xFE\n", "lock\ta\tb\n"}) {
    store_->put("w/j/lock/0000000007", text);
    EXPECT_TRUE(storage_in(store_)->lock()) << text;
  }
}

TEST_F(StoreStorageTest, WhoeverLosesTheLockIsTold) {
  const auto storage = storage_in(store_);
  ASSERT_TRUE(storage->lock());
  const CancelToken run;
  storage->watch_lock(run);
  EXPECT_FALSE(storage->was_lost());
  leave_lock(*store_, 1, "300", 2);
  const auto end = steady_clock::now() + std::chrono::seconds(10);
  while (!run.cancelled() && steady_clock::now() < end) {
    std::this_thread::sleep_for(milliseconds(10));
  }
  EXPECT_TRUE(storage->was_lost());
}

TEST_F(StoreStorageTest, AHolderRenewsItsLock) {
  const auto storage = storage_in(store_);
  ASSERT_TRUE(storage->lock());
  const auto lock = [&] { return store_->get("w/j/lock/0000000001").value_or(""); };
  const std::string first = lock();
  const auto end = steady_clock::now() + std::chrono::seconds(10);
  while (lock() == first && steady_clock::now() < end) {
    std::this_thread::sleep_for(milliseconds(10));
  }
  EXPECT_NE(lock(), first);
  EXPECT_NE(lock(), "");
}

TEST_F(StoreStorageTest, TheJournalIsThereAfterASyncHoweverManyObjectsItTook) {
  const size_t syncs = 3 * kWorkSegmentsMax + 5;
  {
    const auto storage = storage_in(store_);
    ASSERT_TRUE(storage->lock());
    const auto journal = Journal::create(*storage, {});
    ASSERT_TRUE(journal);
    for (size_t i = 0; i < syncs; ++i) {
      ASSERT_TRUE((*journal)->upload_intent("key " + std::to_string(i)));
      const auto now = read_journal(*storage);
      ASSERT_TRUE(now);
      EXPECT_EQ(now->open_uploads.size(), i + 1);
    }
    size_t segments = 0;
    for (const auto& [key, bytes] : store_->all()) segments += key.starts_with("w/j/journal/");
    EXPECT_LE(segments, syncs / kWorkSegmentsMax + kWorkSegmentsMax);
  }
  const auto storage = storage_in(store_);
  ASSERT_TRUE(storage->lock());
  const auto earlier = read_journal(*storage);
  ASSERT_TRUE(earlier);
  EXPECT_EQ(earlier->open_uploads.size(), syncs);
  ASSERT_TRUE(Journal::create(*storage, {}));
  EXPECT_TRUE(read_journal(*storage)->open_uploads.empty());
}

// A job whose work area lies in a store, as if its machine vanished with every failing call.
class StoreWorkJob : public JobTest {
 protected:
  StoreWorkJob() {
    input_.put("a", lines("a", 5));
    input_.put("b", lines("b", 30));
  }
  std::unique_ptr<WorkStorage> work() override { return storage_in(store_); }

  void expect_outputs(const std::string& when) {
    EXPECT_EQ(output_.get("out/a.out"), answered(lines("a", 5))) << when;
    EXPECT_EQ(output_.get("out/b.out"), answered(lines("b", 30))) << when;
    EXPECT_EQ(output_.open_uploads(), 0U) << when;
  }

  const std::shared_ptr<MemoryStore> store_ = std::make_shared<MemoryStore>();
};

TEST_F(StoreWorkJob, LeavesNothingWhenItIsCompleted) {
  outputs();
  expect_outputs("completed");
  EXPECT_TRUE(store_->all().empty());
  EXPECT_EQ(store_->open_uploads(), 0U);
}

TEST_F(StoreWorkJob, GoesOnElsewhereWithWhatIsStaged) {
  output_.fail_writes_of("b.out");
  const auto failed = run();
  output_.fail_writes_of("");
  ASSERT_TRUE(failed);
  ASSERT_EQ(failed->status, JobStatus::kFailed);
  EXPECT_FALSE(store_->get("w/j/lock/0000000001")) << "the lock is given back";
  const size_t asked = handler_.requests().size();
  const auto report = run();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->status, JobStatus::kCompleted);
  EXPECT_EQ(report->resumed_records, 35U);
  EXPECT_EQ(handler_.requests().size(), asked);
  expect_outputs("resumed");
  EXPECT_TRUE(store_->all().empty());
}

TEST_F(StoreWorkJob, EachFailedCallOfTheWorkStoreLeavesWholeOutputsOrNone) {
  for (const bool and_later : {false, true}) {
    for (int64_t k = 0; k < 400; ++k) {
      const std::string when = "call " + std::to_string(k) + (and_later ? " and later" : "");
      for (const auto& [key, bytes] : output_.all()) ASSERT_TRUE(output_.remove(key));
      for (const auto& [key, bytes] : store_->all()) ASSERT_TRUE(store_->remove(key));
      store_->fail_call(k, and_later);
      const auto first = run();
      const bool all_calls_were_made = store_->calls() <= k;
      store_->heal();
      for (const auto& [key, bytes] : output_.all()) {
        const bool is_a = key == "out/a.out";
        EXPECT_EQ(bytes, answered(is_a ? lines("a", 5) : lines("b", 30))) << when;
      }
      if (!first || first->status != JobStatus::kCompleted) {
        const auto second = run();
        // The journal of a job that was done may be gone but for its last object.
        if (second) {
          EXPECT_EQ(second->status, JobStatus::kCompleted) << first_error(*second) << " " << when;
        } else {
          EXPECT_EQ(second.error().code, Code::kAlreadyExists) << second.error().message << when;
        }
      }
      expect_outputs(when);
      if (all_calls_were_made) return;
    }
  }
}

TEST_F(StoreWorkJob, StopsWhenAnotherMachineHasTakenItOver) {
  handler_.hold = true;
  handler_.on_request = [&] { leave_lock(*store_, 1, "300", 2); };
  const auto report = run();
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, Code::kUnavailable);
  EXPECT_NE(report.error().message.find("has taken over"), std::string::npos);
  EXPECT_TRUE(store_->get("w/j/lock/0000000002")) << "it is theirs now";
}

}  // namespace
}  // namespace millrace::transform
