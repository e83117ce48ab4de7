// What Describe and List read: everything stored, in memory, in the orders that List can sort by.
// Not thread-safe; its owner locks.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>

#include "base/result.h"
#include "jobs/job_service.h"
#include "jobs/job_store.h"

namespace millrace::jobs {

// Where a record stands in an order. Of its four members only those count that the order sorts by.
struct SortKey {
  int rank = 0;  // of the status' name
  int64_t created_ms = 0;
  std::string name;  // name_key
  int64_t id = 0;    // among equals: the order of creation
  auto tie() const { return std::tie(rank, created_ms, name, id); }
  bool operator<(const SortKey& other) const { return tie() < other.tie(); }
};

// The position behind a page, as an opaque token, and back. invalid_argument: it is none of ours,
// or one of another sort.
std::string make_token(SortBy sort_by, bool descending, const SortKey& last);
Result<SortKey> read_token(SortBy sort_by, bool descending, std::string_view token);

struct IndexedModel {
  int64_t id = 0;
  ModelPtr record;
};

struct IndexedJob {
  StoredJob stored;  // its request is the record's, and not held twice
  JobPtr record;     // as clients see it
  JobProgress progress;
};

// Entry: IndexedModel or IndexedJob.
template <class Entry>
class Index {
 public:
  // What an order holds of an entry. The name is there as well, because a list that looks for one
  // among 100,000 would else wait for memory three times for each.
  class Row {
   public:
    explicit Row(Entry* entry) : entry_(entry) {
      const std::string& name = entry->record->name;
      size_ = static_cast<uint8_t>(std::min(name.size(), name_.size()));
      std::copy_n(name.begin(), size_, name_.begin());
    }
    Entry* entry() const { return entry_; }
    std::string_view name() const { return {name_.data(), size_}; }

   private:
    Entry* entry_;
    uint8_t size_ = 0;
    std::array<char, 63> name_{};  // the API's names are no longer
  };
  using Order = std::map<SortKey, Row>;
  using Filter = std::function<bool(const Entry&)>;

  Entry* find(std::string_view name) const {
    const auto found = entries_.find(name_key(name));
    return found == entries_.end() ? nullptr : found->second.get();
  }
  size_t size() const { return entries_.size(); }
  // In one of the orders; kStatus only holds jobs.
  const Order& order(SortBy sort_by) const { return orders_[static_cast<size_t>(sort_by)]; }

  // The entry stays where it is until it is erased.
  Entry* insert(Entry entry) {
    auto owned = std::make_unique<Entry>(std::move(entry));
    Entry* const raw = owned.get();
    add_to_orders(raw);
    entries_[name_key(raw->record->name)] = std::move(owned);
    return raw;
  }
  void erase(Entry* entry) {
    remove_from_orders(entry);
    entries_.erase(name_key(entry->record->name));
  }
  // Changes an entry by `change`, and its place in the orders with it.
  void update(Entry* entry, const std::function<void(Entry&)>& change) {
    remove_from_orders(entry);
    change(*entry);
    add_to_orders(entry);
  }

  // Entries as the query sorts, names and bounds them, which also pass.
  Result<Page<Entry*>> page(const ListQuery& query, const Filter& passes) const;

 private:
  static SortKey key_of(const Entry& entry, SortBy sort_by);
  void add_to_orders(Entry* entry);
  void remove_from_orders(Entry* entry);

  std::unordered_map<std::string, std::unique_ptr<Entry>> entries_;
  Order orders_[3];
};

using ModelIndex = Index<IndexedModel>;
using JobIndex = Index<IndexedJob>;
extern template class Index<IndexedModel>;
extern template class Index<IndexedJob>;

// As List's members say.
Result<Page<ModelPtr>> list_models(const ModelIndex& index, const ListQuery& query);
Result<Page<JobPtr>> list_jobs(const JobIndex& index, const ListQuery& query);

}  // namespace millrace::jobs
