// A window: rows of all the requests in flight, put into the order in which the encoders like them.
// Equal rows become one group, groups are sorted by length, and packs are cut from them without
// padding. Pure functions; the scheduler decides when.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "handler/slice.h"

namespace millrace::handler {

struct RowRef {
  Slice* slice = nullptr;
  uint32_t row = 0;
  uint32_t length = 0;
  uint64_t hash = 0;
};

struct Window {
  std::vector<std::shared_ptr<Slice>> slices;  // keeps the rows alive
  size_t rows = 0;                             // that wait for the encoder
  size_t bytes = 0;                            // of ids

  // After plan_window: groups of equal rows by falling length, and packs of groups.
  std::vector<RowRef> order;
  std::vector<uint32_t> groups;  // first entry of each in `order`, and the end
  std::vector<uint32_t> packs;   // first entry of each in `groups`, and the end

  size_t pack_count() const { return packs.empty() ? 0 : packs.size() - 1; }
  std::span<const RowRef> group(size_t g) const {
    return {order.data() + groups[g], groups[g + 1] - groups[g]};
  }
  void add(std::shared_ptr<Slice> slice);
};

struct PackLimits {
  size_t tokens_max = 0;
  size_t encoders = 1;      // a small window is cut into so many packs at least
  bool deduplicate = true;  // false: every row is a group of its own
};

void plan_window(const PackLimits& limits, Window* window);

}  // namespace millrace::handler
