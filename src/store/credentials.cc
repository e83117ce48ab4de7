#include "store/credentials.h"

#include "base/limits.h"

namespace millrace::store {
namespace {
constexpr std::chrono::seconds kRefresh{limits::kCredentialsRefreshSeconds};
constexpr std::chrono::seconds kRetry{limits::kCredentialsRetrySeconds};
}  // namespace

Result<Credentials> CredentialsCache::get(const CancelToken& cancel) {
  const std::lock_guard lock(mutex_);
  const WallTime now = clock_.now();
  if (current_ && (!current_->expires || now < refresh_at_)) return *current_;
  auto fetched = source_(cancel);
  if (fetched) {
    current_ = *std::move(fetched);
    if (current_->expires) refresh_at_ = *current_->expires - kRefresh;
    return *current_;
  }
  if (!current_ || !current_->expires || now >= *current_->expires) {
    return fail(std::move(fetched).error());
  }
  refresh_at_ = now + kRetry;
  return *current_;
}

void CredentialsCache::forget(const Credentials& rejected) {
  const std::lock_guard lock(mutex_);
  if (current_ && current_->access_key == rejected.access_key &&
      current_->session_token == rejected.session_token) {
    current_.reset();
  }
}

}  // namespace millrace::store
