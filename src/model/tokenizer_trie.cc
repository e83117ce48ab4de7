// Builds the double array node by node, each node's children into the first of the last few blocks
// that has room for all of them.
#include "model/tokenizer_trie.h"

#include <algorithm>

namespace millrace::model {

namespace {

// Blocks that are searched for room. More would fill them a little better and build more slowly.
constexpr size_t kOpenBlocks = 8;

}  // namespace

// Entries [first, last) share their first `depth` bytes and hang below `node`.
struct TokenizerTrie::Range {
  size_t first;
  size_t last;
  size_t depth;
  uint32_t node;
};

void TokenizerTrie::add_block() {
  units_.resize(units_.size() + kBlock);
  blocks_.push_back({kBlock, 0});
  if (blocks_.size() > open_block_ + kOpenBlocks) ++open_block_;
}

bool TokenizerTrie::fits(size_t base, const std::vector<uint8_t>& labels) const {
  return std::all_of(labels.begin(), labels.end(),
                     [&](uint8_t label) { return units_[base ^ label].parent == kFree; });
}

// Finds a base for which all labels' units are free.
uint32_t TokenizerTrie::place(const std::vector<uint8_t>& labels) {
  for (size_t i = open_block_; i < blocks_.size(); ++i) {
    Block& block = blocks_[i];
    if (block.free < labels.size()) continue;
    const Unit* units = &units_[i * kBlock];
    while (units[block.first_free].parent != kFree) ++block.first_free;
    for (size_t slot = block.first_free; slot < kBlock; ++slot) {
      const size_t base = (i * kBlock + slot) ^ labels[0];
      if (units[slot].parent == kFree && fits(base, labels)) {
        block.free = static_cast<uint16_t>(block.free - labels.size());
        return static_cast<uint32_t>(base);
      }
    }
  }
  const size_t base = units_.size();
  add_block();
  blocks_.back().free = static_cast<uint16_t>(kBlock - labels.size());
  return static_cast<uint32_t>(base);
}

void TokenizerTrie::build(std::vector<Entry> entries) {
  if (!std::is_sorted(entries.begin(), entries.end())) std::sort(entries.begin(), entries.end());
  units_.assign(kBlock, Unit{});
  blocks_.assign(1, {kBlock - 1, 1});
  open_block_ = 0;
  units_[0].parent = kRootParent;

  std::vector<Range> todo{{0, entries.size(), 0, 0}};
  std::vector<uint8_t> labels;
  std::vector<size_t> starts;
  while (!todo.empty()) {
    Range range = todo.back();
    todo.pop_back();
    // A key that ends here sorts before those that go on.
    while (range.first < range.last && entries[range.first].first.size() == range.depth) {
      if (range.depth > 0) units_[range.node].value = entries[range.first].second;
      ++range.first;
    }
    labels.clear();
    starts.clear();
    for (size_t i = range.first; i < range.last; ++i) {
      const auto label = static_cast<uint8_t>(entries[i].first[range.depth]);
      if (labels.empty() || labels.back() != label) {
        labels.push_back(label);
        starts.push_back(i);
      }
    }
    if (labels.empty()) continue;
    starts.push_back(range.last);
    const uint32_t base = place(labels);
    units_[range.node].base = base;
    for (size_t i = 0; i < labels.size(); ++i) {
      const uint32_t child = base ^ labels[i];
      units_[child].parent = range.node;
      todo.push_back({starts[i], starts[i + 1], range.depth + 1, child});
    }
  }
  blocks_ = {};
  units_.shrink_to_fit();
}

}  // namespace millrace::model
