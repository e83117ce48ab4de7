// Sorting by (length, hash) brings equal rows together, so that finding duplicates costs nothing
// beyond the sort that packing needs anyway.
#include "handler/window.h"

#include <algorithm>
#include <tuple>

#include "base/check.h"
#include "base/limits.h"
#include "base/xxh3.h"

namespace millrace::handler {

namespace {

constexpr size_t kBytesPerToken = sizeof(int32_t) + sizeof(uint8_t);

const RowBlock::Row& row_of(const RowRef& ref) {
  return ref.slice->block.rows[ref.row];
}

bool equal_rows(const RowRef& a, const RowRef& b) {
  const auto ids_a = a.slice->block.ids_of(row_of(a));
  const auto ids_b = b.slice->block.ids_of(row_of(b));
  if (!std::equal(ids_a.begin(), ids_a.end(), ids_b.begin(), ids_b.end())) return false;
  const auto types_a = a.slice->block.types_of(row_of(a));
  const auto types_b = b.slice->block.types_of(row_of(b));
  return std::equal(types_a.begin(), types_a.end(), types_b.begin(), types_b.end());
}

// [begin, end) has one length and one hash. Rows with the same hash are nearly always equal, but a
// hash proves nothing: each group is what equals its first row.
void add_groups(bool deduplicate, uint32_t begin, uint32_t end, Window* window) {
  std::vector<RowRef>& order = window->order;
  while (begin < end) {
    window->groups.push_back(begin);
    uint32_t next = begin + 1;
    if (deduplicate && next < end) {
      const RowRef first = order[begin];
      const auto rest = std::partition(order.begin() + next, order.begin() + end,
                                       [&](const RowRef& ref) { return equal_rows(first, ref); });
      next = static_cast<uint32_t>(rest - order.begin());
    }
    for (uint32_t i = begin + 1; i < next; ++i) ++order[i].slice->block.duplicates;
    begin = next;
  }
}

void make_groups(bool deduplicate, Window* window) {
  std::vector<RowRef>& order = window->order;
  const auto same_key = [&](size_t a, size_t b) {
    return order[a].length == order[b].length && order[a].hash == order[b].hash;
  };
  for (size_t begin = 0; begin < order.size();) {
    size_t end = begin + 1;
    while (end < order.size() && same_key(begin, end)) ++end;
    add_groups(deduplicate, static_cast<uint32_t>(begin), static_cast<uint32_t>(end), window);
    begin = end;
  }
  window->groups.push_back(static_cast<uint32_t>(order.size()));
}

size_t divide_up(size_t a, size_t b) {
  return (a + b - 1) / b;
}

// Tokens of a pack, such that each encoder gets as many packs as the others: with three packs for
// two encoders one would wait while the other computes the third. Packs are cut where they come
// nearest to it, so it leaves room for half a row.
size_t pack_share(const PackLimits& limits, size_t tokens, size_t longest) {
  const size_t room = limits.tokens_max - std::min(longest / 2, limits.tokens_max / 4);
  const size_t packs = divide_up(divide_up(tokens, room), limits.encoders) * limits.encoders;
  return std::max(divide_up(tokens, packs), limits::kPackTokensMin);
}

void make_packs(const PackLimits& limits, Window* window) {
  const size_t group_count = window->groups.size() - 1;
  if (group_count == 0) return;
  size_t tokens = 0;
  for (size_t g = 0; g < group_count; ++g) tokens += window->group(g)[0].length;
  const size_t share = pack_share(limits, tokens, window->group(0)[0].length);
  size_t before = 0;   // tokens of all groups before this one
  size_t in_pack = 0;  // and of those in the last pack
  size_t end = 0;      // where the last pack should end
  for (size_t g = 0; g < group_count; ++g) {
    const size_t length = window->group(g)[0].length;
    const bool nearer_without = before + length / 2 >= end;
    if (nearer_without || in_pack + length > limits.tokens_max) {
      window->packs.push_back(static_cast<uint32_t>(g));
      in_pack = 0;
      end = (before > end + share ? before : end) + share;  // a long row may go far beyond
    }
    in_pack += length;
    before += length;
  }
  window->packs.push_back(static_cast<uint32_t>(group_count));
}

}  // namespace

void RowBlock::add(std::span<const int32_t> row_ids, std::span<const uint8_t> row_types) {
  Row row;
  row.offset = static_cast<uint32_t>(ids.size());
  row.length = static_cast<uint32_t>(row_ids.size());
  row.hash = xxh3_64(row_ids.data(), row_ids.size_bytes(),
                     xxh3_64(row_types.data(), row_types.size_bytes(), 0));
  ids.insert(ids.end(), row_ids.begin(), row_ids.end());
  token_type_ids.insert(token_type_ids.end(), row_types.begin(), row_types.end());
  rows.push_back(row);
}

void RowBlock::shrink(size_t count) {
  for (size_t i = count; i < rows.size(); ++i) {
    if (rows[i].length == 0) continue;
    ids.resize(rows[i].offset);
    token_type_ids.resize(rows[i].offset);
    break;
  }
  rows.resize(count);
}

void Window::add(std::shared_ptr<Slice> slice) {
  rows += slice->open_rows.load(std::memory_order_relaxed);
  bytes += slice->block.ids.size() * kBytesPerToken;
  slices.push_back(std::move(slice));
}

void plan_window(const PackLimits& limits, Window* window) {
  MR_CHECK(window->order.empty() && limits.tokens_max > 0 && limits.encoders > 0);
  window->order.reserve(window->rows);
  for (const auto& slice : window->slices) {
    const auto& rows = slice->block.rows;
    for (size_t i = 0; i < rows.size(); ++i) {
      if (!rows[i].open()) continue;
      window->order.push_back(
          {slice.get(), static_cast<uint32_t>(i), rows[i].length, rows[i].hash});
    }
  }
  // Longest first: what is left for the end of a job are short packs, which spread evenly.
  std::sort(window->order.begin(), window->order.end(), [](const RowRef& a, const RowRef& b) {
    return std::tie(b.length, a.hash) < std::tie(a.length, b.hash);
  });
  make_groups(limits.deduplicate, window);
  make_packs(limits, window);
}

}  // namespace millrace::handler
