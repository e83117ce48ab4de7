// AWS credentials: what they are, and a cache that replaces them before they expire. Where they
// come from is the business of credential_sources.h; in which order, of credential_chain.h.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/result.h"

namespace millrace::store {

struct Credentials {
  std::string access_key;
  std::string secret_key;
  std::string session_token;        // "": none
  std::optional<WallTime> expires;  // none: never
};

// Fetches credentials anew each time it is called.
using CredentialsSource = std::function<Result<Credentials>(const CancelToken&)>;

// Safe for use by several threads; one fetches, the others wait for it.
class CredentialsCache {
 public:
  CredentialsCache(CredentialsSource source, Clock& clock)
      : source_(std::move(source)), clock_(clock) {}

  Result<Credentials> get(const CancelToken& cancel);
  // The server said that `rejected` are expired: the next get() fetches, unless another thread has.
  void forget(const Credentials& rejected);

 private:
  const CredentialsSource source_;
  Clock& clock_;
  std::mutex mutex_;
  std::optional<Credentials> current_;
  WallTime refresh_at_{};
};

}  // namespace millrace::store
