// Outcome<T>: a value, or a Failure that says what went wrong. The library reports every operating
// error this way; the only exceptions are the standard library's own (out of memory).
#pragma once

#include <string>
#include <utility>
#include <variant>

namespace millrace {

// As many kinds as callers have reactions.
enum class FailureKind {
  kInvalidArgument,  // the request itself is wrong: settings, model folder, ids
  kNotFound,         // the named thing does not exist
  kAlreadyExists,    // the name is taken (an output, a job that runs already)
  kBadInput,         // a text or record cannot be used
  kUnavailable,      // may work later
  kCancelled,        // the caller asked to stop
  kCorruption,       // stored bytes are not what was written
  kInternal,         // anything else (disk full, access refused, ...)
};

struct Failure {
  FailureKind kind = FailureKind::kInternal;
  std::string message;  // what was being done, with what, and why it failed
};

template <class T>
class [[nodiscard]] Outcome {
 public:
  Outcome(T value) : state_(std::move(value)) {}
  Outcome(Failure failure) : state_(std::move(failure)) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  // The value; std::bad_variant_access where there is none: ask ok() first.
  const T& value() const& { return std::get<0>(state_); }
  T& value() & { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  const T& operator*() const& { return value(); }
  T& operator*() & { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  const T* operator->() const { return &value(); }
  T* operator->() { return &value(); }

  // The failure; std::bad_variant_access where there is a value.
  const Failure& failure() const { return std::get<1>(state_); }

 private:
  std::variant<T, Failure> state_;
};

}  // namespace millrace
