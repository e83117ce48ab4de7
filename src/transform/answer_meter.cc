// There are some hundred requests under way at most, so they are looked through.
#include "transform/answer_meter.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace millrace::transform {

void AnswerMeter::Request::add(uint32_t records, uint64_t body_bytes) {
  records_answered_.fetch_add(records, std::memory_order_relaxed);
  body_bytes_answered_.fetch_add(body_bytes, std::memory_order_relaxed);
}

AnswerMeter::Amount AnswerMeter::Request::answered() const {
  const uint64_t records = records_answered_.load(std::memory_order_relaxed);
  const uint64_t bytes = body_bytes_answered_.load(std::memory_order_relaxed);
  if (body_bytes_ == 0) return {std::min(records, whole_.records), 0};
  const double share = std::min(1.0, static_cast<double>(bytes) / static_cast<double>(body_bytes_));
  return {std::min(records, whole_.records),
          static_cast<uint64_t>(share * static_cast<double>(whole_.bytes))};
}

AnswerMeter::RequestPtr AnswerMeter::begin(const Amount& whole, uint64_t body_bytes) {
  auto request = std::make_shared<Request>(whole, body_bytes);
  const std::lock_guard lock(mutex_);
  under_way_.push_back(request);
  return request;
}

void AnswerMeter::written(const RequestPtr& request) {
  const std::lock_guard lock(mutex_);
  remove(request);
  written_.records += request->whole().records;
  written_.bytes += request->whole().bytes;
}

void AnswerMeter::dropped(const RequestPtr& request) {
  const std::lock_guard lock(mutex_);
  remove(request);
}

void AnswerMeter::remove(const RequestPtr& request) {
  const auto found = std::find(under_way_.begin(), under_way_.end(), request);
  MR_CHECK(found != under_way_.end());
  std::swap(*found, under_way_.back());
  under_way_.pop_back();
}

AnswerMeter::Amount AnswerMeter::answered() const {
  const std::lock_guard lock(mutex_);
  Amount all = written_;
  for (const RequestPtr& request : under_way_) {
    const Amount answered = request->answered();
    all.records += answered.records;
    all.bytes += answered.bytes;
  }
  return all;
}

}  // namespace millrace::transform
