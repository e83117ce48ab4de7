// The result cache: what was kept is found again, by whoever opens the folder next, and nothing
// that happens to the files makes an answer wrong.
#include "handler/result_cache.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "model/model_fixture.h"

namespace millrace::handler {
namespace {

namespace fs = std::filesystem;
using model::testing::TempFolder;

constexpr size_t kLabels = 2;

std::unique_ptr<ResultCache> open_cache(const fs::path& folder, const std::string& identity = "m-1",
                                        size_t hidden = 0,
                                        uint64_t bytes_max = limits::kResultCacheBytesMin) {
  auto cache = ResultCache::open({.folder = folder,
                                  .identity = identity,
                                  .labels = kLabels,
                                  .hidden = hidden,
                                  .bytes_max = bytes_max});
  EXPECT_TRUE(cache) << cache.error().message;
  return std::move(*cache);
}

// Row n: its length, and whether it has wide ids or types, depend on n.
void add_row(int n, RowBlock* block) {
  std::vector<int32_t> ids = {101, n};
  for (int i = 0; i < n % 7; ++i) ids.push_back(n % 5 == 4 ? 70000 + i : i);
  std::vector<uint8_t> types(ids.size(), 0);
  if (n % 3 == 2) types.back() = 1;
  block->add(ids, types);
}

std::vector<float> logits_of(int n) {
  return {static_cast<float>(n) + 0.25F, static_cast<float>(-n)};
}

void keep_rows(ResultCache& cache, int begin, int end, size_t hidden = 0) {
  RowBlock block;
  ResultBatch batch;
  for (int n = begin; n < end; ++n) {
    add_row(n, &block);
    const RowBlock::Row& row = block.rows.back();
    batch.add({block.ids_of(row), block.types_of(row), row.hash}, logits_of(n),
              std::vector<float>(hidden, static_cast<float>(n)));
  }
  cache.keep(batch);
}

// How many of the rows are found; each with its own logits.
int found_rows(ResultCache& cache, int begin, int end, size_t hidden = 0) {
  RowBlock block;
  for (int n = begin; n < end; ++n) add_row(n, &block);
  block.logits.assign(block.rows.size() * kLabels, -1);
  block.embeddings.assign(block.rows.size() * hidden, -1);
  ResultReader reader;
  const size_t count = cache.answer(&block, &reader);
  size_t cached = 0;
  for (size_t i = 0; i < block.rows.size(); ++i) {
    if (!block.rows[i].cached) continue;
    ++cached;
    const auto expected = logits_of(begin + static_cast<int>(i));
    const float* logits = block.logits.data() + i * kLabels;
    EXPECT_TRUE(std::equal(expected.begin(), expected.end(), logits)) << "row " << i;
    if (hidden > 0) {
      EXPECT_EQ(block.embeddings[(i + 1) * hidden - 1], expected[0] - 0.25F);
    }
  }
  EXPECT_EQ(cached, count);
  return static_cast<int>(count);
}

std::vector<fs::path> segment_files(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.path().extension() == ".results") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

uint64_t bytes_in(const fs::path& folder) {
  uint64_t bytes = 0;
  for (const fs::path& file : segment_files(folder)) bytes += fs::file_size(file);
  return bytes;
}

std::string read_file(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write_file(const fs::path& file, const std::string& bytes) {
  std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes;
}

TEST(ResultCache, WhatOneRunKeptTheNextFinds) {
  const TempFolder folder;
  {
    const auto cache = open_cache(folder.path());
    EXPECT_EQ(found_rows(*cache, 0, 100), 0);
    keep_rows(*cache, 0, 100);
    EXPECT_EQ(found_rows(*cache, 0, 100), 100) << "in the run that kept them, too";
    EXPECT_EQ(cache->problem(), std::nullopt);
  }
  const auto cache = open_cache(folder.path());
  EXPECT_EQ(found_rows(*cache, 0, 150), 100);
}

TEST(ResultCache, ARunThatOnlyReadsWritesNothing) {
  const TempFolder folder;
  found_rows(*open_cache(folder.path()), 0, 10);
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

TEST(ResultCache, RowsOfOneHashAreToldApart) {
  const TempFolder folder;
  const auto cache = open_cache(folder.path());
  const std::vector<int32_t> ids[] = {{1, 2, 3}, {1, 2, 4}, {1, 2, 3}};
  const std::vector<uint8_t> types[] = {{0, 0, 0}, {0, 0, 0}, {0, 0, 1}};
  for (int i = 0; i < 2; ++i) {
    ResultBatch batch;
    batch.add({ids[i], types[i], 77}, logits_of(i), {});
    cache->keep(batch);
  }
  RowBlock block;
  for (int i = 2; i >= 0; --i) {
    block.add(ids[i], types[i]);
    block.rows.back().hash = 77;
  }
  block.logits.resize(3 * kLabels);
  ResultReader reader;
  EXPECT_EQ(cache->answer(&block, &reader), 2U);
  EXPECT_FALSE(block.rows[0].cached);
  EXPECT_EQ(block.logits[2], logits_of(1)[0]);
  EXPECT_EQ(block.logits[4], logits_of(0)[0]);
}

TEST(ResultCache, ResultsOfAnotherModelOrShapeAreNotTaken) {
  const TempFolder folder;
  keep_rows(*open_cache(folder.path()), 0, 10);
  EXPECT_EQ(found_rows(*open_cache(folder.path(), "m-2"), 0, 10), 0);
  EXPECT_EQ(found_rows(*open_cache(folder.path(), "m-1", 4), 0, 10, 4), 0);
  // Even where somebody puts them there: names say nothing.
  fs::copy(folder.path() / "m-1", folder.path() / "m-2");
  EXPECT_EQ(found_rows(*open_cache(folder.path(), "m-2"), 0, 10), 0);
}

TEST(ResultCache, EmbeddingsAreKeptToo) {
  const TempFolder folder;
  keep_rows(*open_cache(folder.path(), "m-1", 5), 0, 10, 5);
  EXPECT_EQ(found_rows(*open_cache(folder.path(), "m-1", 5), 0, 10, 5), 10);
}

TEST(ResultCache, TwoRunsAtOneTimeKeepEachItsOwn) {
  const TempFolder folder;
  {
    const auto one = open_cache(folder.path());
    const auto other = open_cache(folder.path());
    for (int i = 0; i < 20; ++i) {
      keep_rows(*one, 10 * i, 10 * i + 10);
      keep_rows(*other, 1000 + 10 * i, 1000 + 10 * i + 10);
    }
    EXPECT_EQ(one->problem(), std::nullopt);
    EXPECT_EQ(other->problem(), std::nullopt);
    EXPECT_EQ(segment_files(folder.path()).size(), 2U);
  }
  const auto cache = open_cache(folder.path());
  EXPECT_EQ(found_rows(*cache, 0, 200), 200);
  EXPECT_EQ(found_rows(*cache, 1000, 1200), 200);
}

TEST(ResultCache, AFileThatAnotherRunHasAddedToIsNotWrittenOver) {
  const TempFolder folder;
  keep_rows(*open_cache(folder.path()), 0, 10);
  const auto early = open_cache(folder.path());
  keep_rows(*open_cache(folder.path()), 10, 20);  // goes on in the file that `early` knows in part
  keep_rows(*early, 20, 30);
  EXPECT_EQ(found_rows(*early, 0, 30), 20);
  EXPECT_EQ(found_rows(*open_cache(folder.path()), 0, 30), 30);
}

TEST(ResultCache, ManySmallRunsGoIntoOneFile) {
  const TempFolder folder;
  for (int i = 0; i < 30; ++i) keep_rows(*open_cache(folder.path()), i, i + 1);
  EXPECT_EQ(segment_files(folder.path()).size(), 1U);
  EXPECT_EQ(found_rows(*open_cache(folder.path()), 0, 30), 30);
}

TEST(ResultCache, AFlippedBitAnywhereIsAtWorstAMiss) {
  const TempFolder folder;
  constexpr int kRows = 6;
  keep_rows(*open_cache(folder.path()), 0, kRows);
  const fs::path file = segment_files(folder.path()).at(0);
  const std::string whole = read_file(file);
  std::fstream bytes(file, std::ios::binary | std::ios::in | std::ios::out);
  const auto put_byte = [&](size_t i, char byte) {
    bytes.seekp(static_cast<std::streamoff>(i));
    bytes.put(byte).flush();
  };
  const auto early = open_cache(folder.path());  // knows the places, then reads the damage
  const size_t header = segment_header("m-1", kLabels).size();
  int hits = 0;
  for (size_t i = 0; i < whole.size(); ++i) {
    put_byte(i, static_cast<char>(whole[i] ^ (1 << i % 8)));
    EXPECT_EQ(found_rows(*early, 0, kRows), i < header ? kRows : kRows - 1) << "byte " << i;
    const int found = found_rows(*open_cache(folder.path()), 0, kRows);
    EXPECT_LT(found, kRows) << "byte " << i;
    hits += found;
    put_byte(i, whole[i]);
  }
  EXPECT_EQ(found_rows(*open_cache(folder.path()), 0, kRows), kRows);
  EXPECT_GT(hits, static_cast<int>(whole.size()));  // damage costs an entry, rarely the file
}

TEST(ResultCache, AFileCutShortAnywhereKeepsWhatIsWhole) {
  const TempFolder folder;
  constexpr int kRows = 6;
  keep_rows(*open_cache(folder.path()), 0, kRows);
  const fs::path file = segment_files(folder.path()).at(0);
  int before = kRows;
  for (size_t size = fs::file_size(file); size-- > 0;) {
    fs::resize_file(file, size);
    const int found = found_rows(*open_cache(folder.path()), 0, kRows);
    EXPECT_LE(found, before) << size;
    EXPECT_GE(found, before - 1) << size;
    before = found;
  }
  EXPECT_EQ(before, 0);
}

TEST(ResultCache, AfterATornWriteKeepingGoesOn) {
  for (const size_t lost : {1U, 8U, 31U, 33U}) {
    const TempFolder folder;
    keep_rows(*open_cache(folder.path()), 0, 6);
    const fs::path file = segment_files(folder.path()).at(0);
    fs::resize_file(file, fs::file_size(file) - lost);
    keep_rows(*open_cache(folder.path()), 6, 9);
    EXPECT_EQ(found_rows(*open_cache(folder.path()), 0, 9), 8) << lost;
  }
}

TEST(ResultCache, AFileEmptiedUnderARunIsAMiss) {
  const TempFolder folder;
  keep_rows(*open_cache(folder.path()), 0, 10);
  const auto cache = open_cache(folder.path());
  fs::resize_file(segment_files(folder.path()).at(0), 0);
  EXPECT_EQ(found_rows(*cache, 0, 10), 0);
}

TEST(ResultCache, ForeignFilesAreNeitherReadNorRemoved) {
  const TempFolder folder;
  fs::create_directories(folder.path() / "m-1");
  fs::create_directories(folder.path() / "photos");
  write_file(folder.path() / "m-1" / "00000001.results", "a stranger");
  write_file(folder.path() / "photos" / "summer.jpg", std::string(20 << 20, 'x'));
  keep_rows(*open_cache(folder.path()), 0, 10);
  EXPECT_EQ(found_rows(*open_cache(folder.path()), 0, 10), 10);
  EXPECT_TRUE(fs::exists(folder.path() / "photos" / "summer.jpg"));
  EXPECT_EQ(read_file(folder.path() / "m-1" / "00000001.results"), "a stranger");
}

// Rows with large embeddings fill segments quickly: 100 rows make some 420 KB.
constexpr size_t kWide = 1024;

TEST(ResultCache, StaysWithinItsBoundAndForgetsTheOldest) {
  const TempFolder folder;
  const auto cache = open_cache(folder.path(), "m-1", kWide);
  for (int i = 0; i < 60; ++i) {
    keep_rows(*cache, 100 * i, 100 * i + 100, kWide);
    EXPECT_LE(bytes_in(folder.path()), limits::kResultCacheBytesMin);
  }
  EXPECT_EQ(cache->problem(), std::nullopt);
  const auto next = open_cache(folder.path(), "m-1", kWide);
  EXPECT_EQ(found_rows(*next, 0, 100, kWide), 0);
  EXPECT_EQ(found_rows(*next, 5900, 6000, kWide), 100);
  EXPECT_GT(found_rows(*next, 0, 6000, kWide), 2500);
}

TEST(ResultCache, RoomIsMadeAmongResultsOfModelsNoLongerUsed) {
  const TempFolder folder;
  {
    const auto old = open_cache(folder.path(), "old", kWide);
    for (int i = 0; i < 60; ++i) keep_rows(*old, 100 * i, 100 * i + 100, kWide);
  }
  const auto cache = open_cache(folder.path(), "new", kWide);
  for (int i = 0; i < 60; ++i) keep_rows(*cache, 100 * i, 100 * i + 100, kWide);
  EXPECT_LE(bytes_in(folder.path()), limits::kResultCacheBytesMin);
  EXPECT_FALSE(fs::exists(folder.path() / "old-embedding"));
  EXPECT_EQ(cache->problem(), std::nullopt);
}

TEST(ResultCache, WhatWasOfUseIsKeptLonger) {
  const TempFolder folder;
  {
    const auto first = open_cache(folder.path(), "m-1", kWide);
    for (int i = 0; i < 20; ++i) keep_rows(*first, 100 * i, 100 * i + 100, kWide);
  }
  const auto now = fs::file_time_type::clock::now();
  for (const fs::path& file : segment_files(folder.path())) {
    fs::last_write_time(file, now - std::chrono::hours(1));
  }
  EXPECT_EQ(found_rows(*open_cache(folder.path(), "m-1", kWide), 0, 100, kWide), 100);
  const auto cache = open_cache(folder.path(), "m-1", kWide);
  for (int i = 20; i < 50; ++i) keep_rows(*cache, 100 * i, 100 * i + 100, kWide);
  EXPECT_EQ(found_rows(*open_cache(folder.path(), "m-1", kWide), 0, 100, kWide), 100);
}

TEST(ResultCache, LooksAmongSoManyEntriesOnlyTheNewestFirst) {
  const TempFolder folder;
  for (int i = 0; i < 4; ++i) {
    const auto cache = open_cache(folder.path(), "m-1", kWide);
    for (int j = 0; j < 3; ++j) {  // a segment, begun anew where the last one is full
      keep_rows(*cache, 300 * i + 100 * j, 300 * i + 100 * j + 100, kWide);
    }
  }
  const auto cache = ResultCache::open({.folder = folder.path(),
                                        .identity = "m-1",
                                        .labels = kLabels,
                                        .hidden = kWide,
                                        .bytes_max = limits::kResultCacheBytesMin,
                                        .entries_max = 500});
  ASSERT_TRUE(cache);
  EXPECT_EQ(found_rows(**cache, 0, 1200, kWide), 500);
  EXPECT_EQ(found_rows(**cache, 1100, 1200, kWide), 100);
  for (int n = 2000; n < 2600; n += 100) keep_rows(**cache, n, n + 100, kWide);
  EXPECT_EQ((*cache)->problem(), std::nullopt);
  const int kept = found_rows(**cache, 2000, 2600, kWide);
  EXPECT_LE(kept + found_rows(**cache, 0, 1200, kWide), 500);
  EXPECT_GE(kept, 200);
}

TEST(ResultCache, ThreadsAskWhileOthersKeep) {
  const TempFolder folder;
  const auto cache = open_cache(folder.path());
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) {
        keep_rows(*cache, 1000 * t + 10 * i, 1000 * t + 10 * i + 10);
        found_rows(*cache, 1000 * (3 - t), 1000 * (3 - t) + 100);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int t = 0; t < 4; ++t) EXPECT_EQ(found_rows(*cache, 1000 * t, 1000 * t + 500), 500);
}

TEST(ResultCache, AFolderThatCannotBeMadeIsRefused) {
  const TempFolder folder;
  write_file(folder.path() / "file", "");
  for (const char* name : {"file", "file/below"}) {
    const auto cache = ResultCache::open({.folder = folder.path() / name, .identity = "m-1"});
    ASSERT_FALSE(cache);
    EXPECT_NE(cache.error().message.find((folder.path() / name).string()), std::string::npos);
  }
}

TEST(ResultCache, AFolderThatCannotBeWrittenIsOnlyAProblem) {
  const TempFolder folder;
  write_file(folder.path() / "m-1", "in the way");
  const auto cache = open_cache(folder.path());
  keep_rows(*cache, 0, 10);
  ASSERT_TRUE(cache->problem());
  EXPECT_NE(cache->problem()->find("m-1"), std::string::npos) << *cache->problem();
  EXPECT_EQ(found_rows(*cache, 0, 10), 0);
}

// The limit on a file's size stands in for a full disk: the write is short and then fails.
TEST(ResultCache, AFullDiskEndsKeepingAndSpoilsNothing) {
  const TempFolder folder;
  const auto cache = open_cache(folder.path());
  keep_rows(*cache, 0, 10);
  rlimit before = {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit full = {bytes_in(folder.path()) + 100, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &full), 0);
  keep_rows(*cache, 10, 20);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  EXPECT_TRUE(cache->problem());
  keep_rows(*cache, 20, 30);
  EXPECT_EQ(found_rows(*cache, 0, 30), 10);
  const auto next = open_cache(folder.path());
  EXPECT_EQ(found_rows(*next, 0, 30), 10);
  keep_rows(*next, 10, 30);
  EXPECT_EQ(next->problem(), std::nullopt);
  EXPECT_EQ(segment_files(folder.path()).size(), 1U);
}

}  // namespace
}  // namespace millrace::handler
