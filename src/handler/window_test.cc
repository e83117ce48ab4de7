#include "handler/window.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "base/limits.h"

namespace millrace::handler {
namespace {

class FakeSlice final : public Slice {
 public:
  void prepare(Workspace&) override {}
  void finish(Workspace&) override {}
  bool cancelled() const override { return false; }
  void abandon() override {}
};

using Row = std::pair<std::vector<int32_t>, std::vector<uint8_t>>;

std::shared_ptr<Slice> slice_of(const std::vector<Row>& rows) {
  auto slice = std::make_shared<FakeSlice>();
  for (const auto& [ids, types] : rows) {
    ids.empty() ? slice->block.add_blank() : slice->block.add(ids, types);
    if (!ids.empty()) ++slice->open_rows;
  }
  return slice;
}

Row row(std::vector<int32_t> ids, uint8_t type = 0) {
  std::vector<uint8_t> types(ids.size(), type);
  return {std::move(ids), std::move(types)};
}

Window planned(std::vector<std::shared_ptr<Slice>> slices, const PackLimits& limits) {
  Window window;
  for (auto& slice : slices) window.add(std::move(slice));
  plan_window(limits, &window);
  return window;
}

// Lengths of the rows in each pack.
std::vector<std::vector<uint32_t>> pack_lengths(const Window& window) {
  std::vector<std::vector<uint32_t>> out;
  for (size_t p = 0; p < window.pack_count(); ++p) {
    auto& lengths = out.emplace_back();
    for (uint32_t g = window.packs[p]; g < window.packs[p + 1]; ++g) {
      lengths.push_back(window.group(g)[0].length);
    }
  }
  return out;
}

Row long_row(size_t length, int32_t first) {
  std::vector<int32_t> ids(length, 7);
  ids[0] = first;
  return row(std::move(ids));
}

TEST(Window, EqualRowsOfAllSlicesBecomeOneGroup) {
  const auto a = slice_of({row({1, 2}), row({1, 3}), row({1, 2})});
  const auto b = slice_of({row({1, 2})});
  const Window window = planned({a, b}, {.tokens_max = 512});
  EXPECT_EQ(window.groups.size() - 1, 2U);
  EXPECT_EQ(a->block.duplicates + b->block.duplicates, 2U);
}

TEST(Window, RowsThatDifferOnlyInTokenTypesAreNotEqual) {
  const auto slice = slice_of({row({1, 2}, 0), row({1, 2}, 1)});
  EXPECT_EQ(planned({slice}, {.tokens_max = 512}).groups.size() - 1, 2U);
  EXPECT_EQ(slice->block.duplicates, 0U);
}

TEST(Window, EqualHashesAloneDoNotMakeRowsEqual) {
  const auto slice = slice_of({row({1, 2}), row({3, 4}), row({1, 2}), row({3, 4}), row({5, 6})});
  for (RowBlock::Row& each : slice->block.rows) each.hash = 42;
  const Window window = planned({slice}, {.tokens_max = 512});
  EXPECT_EQ(window.groups.size() - 1, 3U);
  EXPECT_EQ(slice->block.duplicates, 2U);
  for (size_t g = 0; g < 3; ++g) {
    for (const RowRef& ref : window.group(g)) {
      const auto first = slice->block.ids_of(slice->block.rows[window.group(g)[0].row]);
      const auto ids = slice->block.ids_of(slice->block.rows[ref.row]);
      EXPECT_TRUE(std::equal(ids.begin(), ids.end(), first.begin()));
    }
  }
}

TEST(Window, WithoutDeduplicationEveryRowIsEncoded) {
  const auto slice = slice_of({row({1, 2}), row({1, 2})});
  EXPECT_EQ(planned({slice}, {.tokens_max = 512, .deduplicate = false}).groups.size() - 1, 2U);
  EXPECT_EQ(slice->block.duplicates, 0U);
}

TEST(Window, PacksHoldWholeRowsByFallingLengthUpToTheBudget) {
  const auto slice = slice_of({long_row(40, 1), long_row(100, 2), long_row(60, 3), row({}),
                               long_row(150, 4), long_row(50, 5)});
  EXPECT_THAT(pack_lengths(planned({slice}, {.tokens_max = 110})),
              ::testing::ElementsAre(std::vector<uint32_t>{150}, std::vector<uint32_t>{100},
                                     std::vector<uint32_t>{60}, std::vector<uint32_t>{50, 40}));
}

TEST(Window, EveryEncoderGetsAsManyPacksOfEqualSize) {
  std::vector<Row> rows;
  for (int32_t i = 0; i < 60; ++i) rows.push_back(long_row(25, i));
  const auto packs = pack_lengths(planned({slice_of(rows)}, {.tokens_max = 512, .encoders = 2}));
  ASSERT_EQ(packs.size(), 4U);  // three would be enough to hold them
  for (const auto& lengths : packs) EXPECT_EQ(lengths.size(), 15U);
}

TEST(Window, ALongRowLeavesNoTinyPacksBehind) {
  std::vector<Row> rows = {long_row(500, 1)};
  for (int32_t i = 2; i < 42; ++i) rows.push_back(long_row(10, i));
  auto packs = pack_lengths(planned({slice_of(rows)}, {.tokens_max = 128}));
  EXPECT_EQ(packs.front().size(), 1U);
  packs.erase(packs.begin());
  packs.pop_back();  // what is left over
  ASSERT_FALSE(packs.empty());
  for (const auto& lengths : packs) EXPECT_GE(lengths.size(), 9U);
}

TEST(Window, ASmallWindowStillGivesEachEncoderAPack) {
  std::vector<Row> rows;
  for (int32_t i = 0; i < 20; ++i) rows.push_back(long_row(20, i));
  const Window window = planned({slice_of(rows)}, {.tokens_max = 512, .encoders = 2});
  EXPECT_EQ(window.pack_count(), 2U);
  EXPECT_EQ(
      planned({slice_of({long_row(20, 1), long_row(20, 2)})}, {.tokens_max = 512, .encoders = 2})
          .pack_count(),
      1U);
}

TEST(Window, EveryRowIsInExactlyOneGroupAndEveryGroupInOnePack) {
  std::mt19937 random(5);
  std::vector<std::shared_ptr<Slice>> slices;
  size_t rows = 0;
  for (int s = 0; s < 40; ++s) {
    std::vector<Row> some;
    for (int i = 0; i < 50; ++i)
      some.push_back(long_row(1 + random() % 30, static_cast<int32_t>(random() % 9)));
    rows += some.size();
    slices.push_back(slice_of(some));
  }
  const Window window = planned(slices, {.tokens_max = 128, .encoders = 3});
  std::set<std::pair<Slice*, uint32_t>> seen;
  for (const RowRef& ref : window.order) seen.insert({ref.slice, ref.row});
  EXPECT_EQ(seen.size(), rows);
  EXPECT_EQ(window.packs.front(), 0U);
  EXPECT_EQ(window.packs.back(), window.groups.size() - 1);
  for (const auto& lengths : pack_lengths(window)) {
    uint32_t tokens = 0;
    for (const uint32_t length : lengths) tokens += length;
    EXPECT_LE(tokens, 128U);
    EXPECT_GT(tokens, 0U);
  }
}

TEST(RowBlock, ShrinkTakesBackWhatAFailedRecordAdded) {
  const auto slice = slice_of({row({1, 2}), row({}), row({3}), row({4, 5})});
  slice->block.shrink(2);
  EXPECT_EQ(slice->block.rows.size(), 2U);
  EXPECT_EQ(slice->block.ids.size(), 2U);
  slice->block.shrink(1);
  EXPECT_EQ(slice->block.ids.size(), 2U);
}

}  // namespace
}  // namespace millrace::handler
