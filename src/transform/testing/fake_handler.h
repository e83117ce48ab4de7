// FakeHandler: answers each record with a function of its bytes, from a thread of its own that
// takes requests in random order; refuses the records that contain "bad". It keeps what it was
// sent.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <future>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "handler/inference_handler.h"

namespace millrace::testing {

class FakeHandler : public handler::InferenceHandler {
 public:
  using Answer = std::function<std::string(std::string_view record)>;

  explicit FakeHandler(Answer answer =
                           [](std::string_view r) { return "<" + std::string(r) + ">"; })
      : answer_(std::move(answer)), thread_([this] { serve(); }) {
    traits_.reads_records_alone = true;
    traits_.identity = "fake";
  }
  ~FakeHandler() override {
    {
      std::lock_guard lock(mutex_);
      stop_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  // --- before the job ---
  handler::HandlerTraits traits_;
  bool gives_spans = true;  // false: as a container, which only gives a body
  std::string before_replies, between_replies = "\n", after_replies;
  void answer_with(Answer answer) { answer_ = std::move(answer); }
  std::chrono::microseconds delay{0};
  std::atomic<bool> hold{false};  // answer nothing but what is cancelled
  std::function<void()> on_request;

  // --- after it ---
  std::vector<handler::InvokeRequest> requests() {
    std::lock_guard lock(mutex_);
    return seen_;
  }
  size_t waiting_max() {
    std::lock_guard lock(mutex_);
    return waiting_max_;
  }

  const handler::HandlerTraits& traits() const override { return traits_; }

  std::future<Result<handler::InvokeReply>> invoke(handler::InvokeRequest request) override {
    if (on_request) on_request();
    std::lock_guard lock(mutex_);
    seen_.push_back(request);
    waiting_.push_back({std::move(request), {}});
    waiting_max_ = std::max(waiting_max_, waiting_.size() + (answering_ ? 1 : 0));
    changed_.notify_all();
    return waiting_.back().promise.get_future();
  }

 private:
  struct Waiting {
    handler::InvokeRequest request;
    std::promise<Result<handler::InvokeReply>> promise;
  };

  void serve() {
    std::minstd_rand random(7);
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait_for(lock, std::chrono::milliseconds(5),
                        [&] { return stop_ || (!waiting_.empty() && !hold); });
      if (stop_ && waiting_.empty()) return;
      for (size_t i = 0; hold && i < waiting_.size();) {
        i = waiting_[i].request.cancel.cancelled() ? answer(lock, i) : i + 1;
      }
      if (!hold && !waiting_.empty()) answer(lock, random() % waiting_.size());
    }
  }

  size_t answer(std::unique_lock<std::mutex>& lock, size_t index) {
    const auto position = waiting_.begin() + static_cast<std::ptrdiff_t>(index);
    Waiting taken = std::move(*position);
    waiting_.erase(position);
    answering_ = true;
    lock.unlock();
    if (delay.count() > 0) std::this_thread::sleep_for(delay);
    auto reply = reply_to(taken.request);
    lock.lock();
    answering_ = false;
    taken.promise.set_value(std::move(reply));
    return 0;
  }

  Result<handler::InvokeReply> reply_to(const handler::InvokeRequest& request) const {
    if (request.cancel.cancelled()) return fail(cancelled("cancelled"));
    handler::InvokeReply reply;
    reply.body = before_replies;
    for (uint32_t i = 0; i < request.records.size(); ++i) {
      const auto& span = request.records[i];
      const auto record = std::string_view(request.body).substr(span.offset, span.length);
      if (record.find("bad") != std::string_view::npos) reply.errors.push_back({i, "it is bad"});
      if (i > 0) reply.body += between_replies;
      const std::string text = answer_(record);
      reply.records.push_back(
          {static_cast<uint32_t>(reply.body.size()), static_cast<uint32_t>(text.size())});
      reply.body += text;
      ++reply.counts.rows;
    }
    reply.body += after_replies;
    if (!reply.errors.empty() && !gives_spans) return fail(bad_input("400: it is bad"));
    if (!gives_spans) reply.records.clear();
    return reply;
  }

  Answer answer_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Waiting> waiting_;
  std::vector<handler::InvokeRequest> seen_;
  size_t waiting_max_ = 0;
  bool answering_ = false;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace millrace::testing
