// An error in one part cancels those after it and lets those before it finish.
#include "transform/object_run.h"

#include <utility>

#include "base/check.h"

namespace millrace::transform {

double ObjectRun::seconds() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

CancelToken ObjectRun::add_part(uint32_t part) {
  std::lock_guard lock(mutex_);
  CancelToken token = job_cancel_.child();
  if (part > failed_part_) token.cancel();
  open_parts_.emplace(part, token);
  return token;
}

bool ObjectRun::is_needless(uint32_t part) const {
  std::lock_guard lock(mutex_);
  return part > failed_part_;
}

bool ObjectRun::part_ended(const Part& part, const Result<PartResult>& result) {
  std::lock_guard lock(mutex_);
  MR_CHECK(open_parts_.erase(part.index) == 1);
  ++parts_ended_;
  if (part.last) parts_total_ = part.index + 1;
  if (result) {
    result_ += *result;
  } else if (part.index < failed_part_) {
    failed_part_ = part.index;
    error_ = result.error();
    for (auto later = open_parts_.upper_bound(part.index); later != open_parts_.end(); ++later) {
      later->second.cancel();
    }
  }
  const bool ended = parts_total_ == parts_ended_;
  // In words that do not depend on which refused record was the one too many.
  if (ended && error_ && refusals_.exceeded_part() == failed_part_) error_ = refusals_.error();
  return ended;
}

}  // namespace millrace::transform
