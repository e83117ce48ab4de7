// AnswerMeter: how much of a job's requests is answered. A request may be under way for a minute,
// so what the handler tells of it meanwhile counts, too; none counts twice, and what a request that
// came to nothing had told counts no longer.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace millrace::transform {

class AnswerMeter {
 public:
  struct Amount {
    uint64_t records = 0;
    uint64_t bytes = 0;  // of the input as it is stored
  };

  class Request {
   public:
    Request(const Amount& whole, uint64_t body_bytes) : whole_(whole), body_bytes_(body_bytes) {}
    // So many records more, which take so many bytes of its body. From any thread, at any time.
    void add(uint32_t records, uint64_t body_bytes);
    Amount answered() const;  // no more than the whole
    const Amount& whole() const { return whole_; }

   private:
    const Amount whole_;
    const uint64_t body_bytes_;
    std::atomic<uint64_t> records_answered_{0}, body_bytes_answered_{0};
  };
  using RequestPtr = std::shared_ptr<Request>;

  // Thread-safe; a lock for each request.
  RequestPtr begin(const Amount& whole, uint64_t body_bytes);
  // Its reply is written: all of it counts. REQUIRES: it is under way.
  void written(const RequestPtr& request);
  // It came to nothing. REQUIRES: it is under way.
  void dropped(const RequestPtr& request);

  Amount answered() const;

 private:
  void remove(const RequestPtr& request);

  mutable std::mutex mutex_;  // guards what follows
  Amount written_;
  std::vector<RequestPtr> under_way_;  // in no order
};

}  // namespace millrace::transform
