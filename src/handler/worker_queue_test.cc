// The queue of a handler's workers: how many are started, order, what a worker that ends leaves.
#include "handler/worker_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <set>
#include <string>

namespace millrace::handler {
namespace {

InvokeRequest request(std::string body) {
  InvokeRequest out;
  out.body = std::move(body);
  return out;
}

InvokeReply reply(std::string body) {
  InvokeReply out;
  out.body = std::move(body);
  return out;
}

// Workers that answer when they are allowed to, and that count themselves.
class WorkerQueueTest : public ::testing::Test {
 protected:
  ~WorkerQueueTest() override {
    open();
    if (queue_) queue_->stop();
  }

  void make(size_t workers_max) {
    queue_ = std::make_unique<WorkerQueue>(workers_max, [this](int index) { work(index); });
  }

  void work(int index) {
    ++started_;
    while (auto invocation = queue_->next()) {
      if (index == gives_back_) return queue_->give_back(std::move(*invocation));
      gate_.wait();
      invocation->reply.set_value(reply(invocation->request.body + "!"));
    }
  }

  void open() {
    if (!opened_) door_.set_value();
    opened_ = true;
  }

  std::promise<void> door_;
  std::shared_future<void> gate_ = door_.get_future().share();
  bool opened_ = false;
  std::atomic<int> started_{0};
  int gives_back_ = -1;
  std::unique_ptr<WorkerQueue> queue_;
};

TEST_F(WorkerQueueTest, EachRequestGetsItsOwnReply) {
  make(4);
  open();
  std::vector<std::future<Result<InvokeReply>>> replies;
  for (int i = 0; i < 100; ++i) replies.push_back(queue_->submit(request(std::to_string(i))));
  for (int i = 0; i < 100; ++i) {
    const auto got = replies[static_cast<size_t>(i)].get();
    ASSERT_TRUE(got);
    EXPECT_EQ(got->body, std::to_string(i) + "!");
  }
}

TEST_F(WorkerQueueTest, AnIdleWorkerIsAskedBeforeAnotherIsStarted) {
  make(4);
  open();
  // The second request comes when the first worker waits again.
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(queue_->submit(request("a")).get());
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  EXPECT_LE(started_, 2);
}

TEST_F(WorkerQueueTest, NoMoreWorkersThanAllowedAreStarted) {
  make(3);
  std::vector<std::future<Result<InvokeReply>>> replies;
  for (int i = 0; i < 50; ++i) replies.push_back(queue_->submit(request("a")));
  open();
  for (auto& one : replies) EXPECT_TRUE(one.get());
  queue_->stop();
  EXPECT_EQ(started_, 3);
}

TEST_F(WorkerQueueTest, WhatAWorkerGivesBackIsAnsweredByAnother) {
  gives_back_ = 1;
  make(2);
  auto first = queue_->submit(request("a"));
  auto second = queue_->submit(request("b"));
  auto third = queue_->submit(request("c"));
  open();
  EXPECT_EQ(first.get()->body, "a!");
  EXPECT_EQ(second.get()->body, "b!");
  EXPECT_EQ(third.get()->body, "c!");
  queue_->stop();
  EXPECT_LE(started_, 2);  // nobody takes its place
}

TEST_F(WorkerQueueTest, StopAnswersWhatIsQueued) {
  make(1);
  auto first = queue_->submit(request("a"));
  auto second = queue_->submit(request("b"));
  open();
  queue_->stop();
  EXPECT_EQ(first.get()->body, "a!");
  EXPECT_EQ(second.get()->body, "b!");
}

TEST_F(WorkerQueueTest, TheFirstInferenceIsNotedOnce) {
  make(1);
  open();
  EXPECT_FALSE(queue_->first_inference());
  ASSERT_TRUE(queue_->submit(request("a")).get());
  const auto first = queue_->first_inference();
  ASSERT_TRUE(first);
  queue_->note_inference();
  EXPECT_EQ(queue_->first_inference(), first);
}

}  // namespace
}  // namespace millrace::handler
