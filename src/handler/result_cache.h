// The result cache: what the encoder once said of a row, kept in a folder over jobs and processes,
// so that a re-run over grown data computes only what is new. A row is found by its token ids and
// token-type ids, compared in full, among the results of the same numeric identity; what is done
// with the values (thresholds, shapes of output) is not part of it. Never wrong and never in the
// way: a damaged, torn or foreign entry is a row that is computed, and a folder that can no longer
// be written is only no longer added to.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <span>
#include <string>
#include <vector>

#include "base/limits.h"
#include "base/result.h"
#include "handler/result_entry.h"
#include "handler/result_folder.h"
#include "handler/result_index.h"
#include "handler/slice.h"

namespace millrace::handler {

struct ResultCacheOptions {
  std::filesystem::path folder;
  // All that a result depends on besides its row.
  std::string identity;
  size_t labels = 0;  // logits of a row
  size_t hidden = 0;  // of its embedding; 0: embeddings are not kept
  uint64_t bytes_max = limits::kResultCacheBytes;
  // Entries that are looked among: bounds the memory.
  size_t entries_max = limits::kResultEntriesMax;
};

// Results on their way into the cache. A worker fills its own, so that only the write is locked.
class ResultBatch {
 public:
  void clear();
  void add(const ResultKey& key, std::span<const float> logits, std::span<const float> embedding);
  bool empty() const { return entries_.empty(); }

 private:
  friend class ResultCache;
  std::string bytes_;
  std::vector<FoundEntry> entries_;
  std::vector<float> values_;
};

// Buffers of one thread that asks.
struct ResultReader {
  std::string image;
  std::string entry;
  std::vector<float> values;
};

class ResultCache {
 public:
  // Reads all that is kept for the identity. Fails only where the folder cannot be made.
  static Result<std::unique_ptr<ResultCache>> open(const ResultCacheOptions& options);
  ~ResultCache();

  // Gives each row of `block` that is known its result and marks it as cached; returns how many.
  // The block's logits (and embeddings) have their size already. Thread-safe; one shared lock.
  size_t answer(RowBlock* block, ResultReader* reader);

  // Thread-safe. Nothing happens once keeping has failed.
  void keep(const ResultBatch& batch);

  // Why results are no longer kept, once that is so.
  std::optional<std::string> problem() const;

 private:
  struct Segment {
    SegmentFile file;
    uint64_t end = 0;   // entries lie before this; never beyond what was read or written whole
    bool whole = true;  // nothing but entries
    std::atomic<bool> used{false};
  };

  ResultCache(const ResultCacheOptions& options, ResultFolder folder);
  void load();
  void load_segment(size_t slot);
  bool find(const ResultKey& key, ResultReader* reader);
  Status append(const ResultBatch& batch);
  Status open_segment();
  size_t free_slot();
  void make_index_room(size_t entries);
  void drop_oldest();

  const size_t labels_;
  const size_t hidden_;
  const size_t entries_max_;
  const ResultFolder folder_;

  mutable std::shared_mutex mutex_;  // guards the three below
  ResultIndex index_;
  std::vector<std::unique_ptr<Segment>> segments_;  // by slot; null: free
  std::vector<size_t> age_;                         // slots, oldest first

  mutable std::mutex write_mutex_;  // guards the two below; taken before mutex_
  std::optional<size_t> writing_;   // slot
  std::optional<std::string> problem_;
};

}  // namespace millrace::handler
