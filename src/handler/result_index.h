// Where in the result cache a row may stand: a hash table of eight bytes for each entry. It only
// finds candidates, which are then compared in full; rows that share 32 bits of hash cost a read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace millrace::handler {

class ResultIndex {
 public:
  // `location` is not 0. A hash may be put any number of times.
  void put(uint64_t hash, uint32_t location);

  // Calls `matches(location)` for each candidate until it says true; whether it did.
  template <class Matches>
  bool find(uint64_t hash, Matches&& matches) const {
    if (slots_.empty()) return false;
    const uint32_t tag = tag_of(hash);
    for (size_t i = position_of(tag); slots_[i].location != 0; i = (i + 1) & (slots_.size() - 1)) {
      if (slots_[i].tag == tag && matches(slots_[i].location)) return true;
    }
    return false;
  }

  // Forgets every entry for which `gone(location)`; takes as long as the table is large.
  template <class Gone>
  void remove_if(Gone&& gone) {
    std::vector<Slot> old(slots_.size());
    old.swap(slots_);
    size_ = 0;
    for (const Slot& slot : old) {
      if (slot.location != 0 && !gone(slot.location)) insert(slot);
    }
  }

  size_t size() const { return size_; }

 private:
  struct Slot {
    uint32_t tag = 0;
    uint32_t location = 0;  // 0: empty
  };

  static uint32_t tag_of(uint64_t hash) { return static_cast<uint32_t>(hash >> 32); }
  size_t position_of(uint32_t tag) const { return tag >> shift_; }
  void insert(const Slot& slot);
  void grow();

  std::vector<Slot> slots_;  // a power of two; linear probing
  unsigned shift_ = 32;      // the slots' number is 2^(32 - shift_)
  size_t size_ = 0;
};

}  // namespace millrace::handler
