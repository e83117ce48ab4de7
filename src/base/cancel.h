// CancelToken: a shared flag that asks work to stop. Copies share the flag; a child made by
// `child()` is cancelled with its parent, but not the other way round (one object's parts stop
// without stopping the job). Cheap to poll from any thread.
#pragma once

#include <atomic>
#include <memory>

namespace millrace {

class CancelToken {
 public:
  CancelToken() : state_(std::make_shared<State>()) {}

  void cancel() const { state_->cancelled.store(true, std::memory_order_release); }

  bool cancelled() const {
    for (const State* s = state_.get(); s != nullptr; s = s->parent.get()) {
      if (s->cancelled.load(std::memory_order_acquire)) return true;
    }
    return false;
  }

  CancelToken child() const {
    CancelToken token;
    token.state_->parent = state_;
    return token;
  }

 private:
  struct State {
    std::atomic<bool> cancelled{false};
    std::shared_ptr<const State> parent;
  };
  std::shared_ptr<State> state_;
};

}  // namespace millrace
