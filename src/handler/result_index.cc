#include "handler/result_index.h"

namespace millrace::handler {

namespace {

constexpr unsigned kFirstBits = 10;

}  // namespace

void ResultIndex::put(uint64_t hash, uint32_t location) {
  // Half full at most: unsuccessful searches, the first run's all, look at 2.5 slots then.
  if (2 * (size_ + 1) > slots_.size()) grow();
  insert({tag_of(hash), location});
}

void ResultIndex::insert(const Slot& slot) {
  size_t i = position_of(slot.tag);
  while (slots_[i].location != 0) i = (i + 1) & (slots_.size() - 1);
  slots_[i] = slot;
  ++size_;
}

void ResultIndex::grow() {
  const unsigned bits = slots_.empty() ? kFirstBits : 32 - shift_ + 1;
  std::vector<Slot> old(size_t{1} << bits);
  old.swap(slots_);
  shift_ = 32 - bits;
  size_ = 0;
  for (const Slot& slot : old) {
    if (slot.location != 0) insert(slot);
  }
}

}  // namespace millrace::handler
