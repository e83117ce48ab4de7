// Longest-match lookup over a fixed set of byte strings, as a double array: one step is one load
// and one compare, whatever the size of the vocabulary, and nothing is hashed or allocated.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace::model {

class TokenizerTrie {
 public:
  using Entry = std::pair<std::string_view, uint32_t>;
  static constexpr uint32_t kNoValue = 0xFFFFFFFF;

  struct Match {
    size_t bytes = 0;  // 0: nothing matches
    uint32_t value = kNoValue;
  };

  // REQUIRES: keys differ; values are below kNoValue. Empty keys are left out: they match nothing.
  void build(std::vector<Entry> entries);

  // The longest key that `text` begins with.
  Match longest_prefix(std::string_view text) const {
    Match match;
    uint32_t node = 0;
    const size_t size = text.size();
    for (size_t i = 0; i < size; ++i) {
      const uint32_t child = units_[node].base ^ static_cast<uint8_t>(text[i]);
      if (units_[child].parent != node) break;
      node = child;
      if (units_[node].value != kNoValue) match = {i + 1, units_[node].value};
    }
    return match;
  }

  bool empty() const { return units_.size() <= kBlock; }

 private:
  static constexpr size_t kBlock = 256;
  static constexpr uint32_t kFree = 0xFFFFFFFF;
  static constexpr uint32_t kRootParent = 0xFFFFFFFE;  // no node: the root is no one's child

  // The child of a node by byte b lies at base ^ b, and is that node's child if it says so. Bases
  // stay within a block of 256 units, so that every byte leads to a unit that exists.
  struct Unit {
    uint32_t base = 0;
    uint32_t parent = kFree;
    uint32_t value = kNoValue;
  };
  struct Range;

  uint32_t place(const std::vector<uint8_t>& labels);
  bool fits(size_t base, const std::vector<uint8_t>& labels) const;
  void add_block();

  std::vector<Unit> units_ = std::vector<Unit>(kBlock);
  struct Block {
    uint16_t free;
    uint16_t first_free;  // no unit before it is free
  };
  std::vector<Block> blocks_;  // while building
  size_t open_block_ = 0;      // blocks before it are no longer tried
};

}  // namespace millrace::model
