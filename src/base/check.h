// MR_CHECK: for what only a bug of ours can make false. It stays on in release builds and stops the
// program. Never use it on anything that a user, a file or the network can cause: that is an Error.
#pragma once

namespace millrace {
[[noreturn]] void check_failed(const char* condition, const char* file, int line);
}  // namespace millrace

#define MR_CHECK(condition) \
  ((condition) ? (void)0 : ::millrace::check_failed(#condition, __FILE__, __LINE__))
