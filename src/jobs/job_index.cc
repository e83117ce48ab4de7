// The orders of the index, its pages, and the tokens between pages.
#include "jobs/job_index.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <utility>
#include <vector>

#include "base/digest.h"

namespace millrace::jobs {
namespace {

constexpr std::array kSorts = {SortBy::kCreationTime, SortBy::kName, SortBy::kStatus};

int64_t id_of(const IndexedModel& entry) {
  return entry.id;
}
int64_t id_of(const IndexedJob& entry) {
  return entry.stored.id;
}

int64_t created_of(const IndexedModel& entry) {
  return static_cast<int64_t>(entry.record->creation_time * 1000 + 0.5);
}
int64_t created_of(const IndexedJob& entry) {
  return entry.stored.created_ms;
}

// Statuses sort by their names.
int rank_of(const IndexedJob& entry) {
  switch (entry.stored.status) {
    case JobStatus::kCompleted:
      return 0;
    case JobStatus::kFailed:
      return 1;
    case JobStatus::kInProgress:
      return 2;
    case JobStatus::kStopped:
      return 3;
    case JobStatus::kStopping:
      return 4;
  }
  return 5;
}
int rank_of(const IndexedModel&) {
  return 0;
}

constexpr char kFieldEnd = '|';

std::string token_head(SortBy sort_by, bool descending) {
  return fmt::format("1{}{}", static_cast<int>(sort_by), descending ? 'd' : 'a');
}

template <class Number>
bool take_number(std::string_view* text, Number* out) {
  const auto [end, code] = std::from_chars(text->data(), text->data() + text->size(), *out);
  if (code != std::errc() || end == text->data() + text->size() || *end != kFieldEnd) return false;
  text->remove_prefix(static_cast<size_t>(end - text->data()) + 1);
  return true;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

std::string from_hex(std::string_view text) {
  std::string out;
  for (size_t i = 0; i + 1 < text.size(); i += 2) {
    const int high = hex_digit(text[i]);
    const int low = hex_digit(text[i + 1]);
    if (high < 0 || low < 0) return {};
    out += static_cast<char>(high * 16 + low);
  }
  return out;
}

bool is_within(double time, const std::optional<double>& after,
               const std::optional<double>& before) {
  return (!after || time >= *after) && (!before || time <= *before);
}

template <class Pointer, class Entry>
Result<Page<Pointer>> records_of(Result<Page<Entry*>> page) {
  if (!page) return fail(std::move(page).error());
  Page<Pointer> out;
  out.next_token = std::move(page->next_token);
  for (const Entry* entry : page->records) out.records.push_back(entry->record);
  return out;
}

}  // namespace

std::string make_token(SortBy sort_by, bool descending, const SortKey& last) {
  return hex(fmt::format("{}|{}|{}|{}|{}", token_head(sort_by, descending), last.rank,
                         last.created_ms, last.id, last.name));
}

Result<SortKey> read_token(SortBy sort_by, bool descending, std::string_view token) {
  const std::string plain = from_hex(token);
  std::string_view text = plain;
  const std::string head = token_head(sort_by, descending) + kFieldEnd;
  SortKey key;
  if (text.starts_with(head)) {
    text.remove_prefix(head.size());
    if (take_number(&text, &key.rank) && take_number(&text, &key.created_ms) &&
        take_number(&text, &key.id)) {
      key.name = text;
      return key;
    }
  }
  return fail(invalid_argument("NextToken is not one that an equal request returned"));
}

template <class Entry>
SortKey Index<Entry>::key_of(const Entry& entry, SortBy sort_by) {
  SortKey key;
  key.id = id_of(entry);
  if (sort_by == SortBy::kName) {
    key.name = name_key(entry.record->name);
    return key;
  }
  key.created_ms = created_of(entry);
  if (sort_by == SortBy::kStatus) key.rank = rank_of(entry);
  return key;
}

template <class Entry>
void Index<Entry>::add_to_orders(Entry* entry) {
  for (const SortBy sort_by : kSorts) {
    orders_[static_cast<size_t>(sort_by)].emplace(key_of(*entry, sort_by), Row(entry));
  }
}

template <class Entry>
void Index<Entry>::remove_from_orders(Entry* entry) {
  for (const SortBy sort_by : kSorts) {
    orders_[static_cast<size_t>(sort_by)].erase(key_of(*entry, sort_by));
  }
}

template <class Entry>
Result<Page<Entry*>> Index<Entry>::page(const ListQuery& query, const Filter& passes) const {
  const Order& all = order(query.sort_by);
  Page<Entry*> page;
  std::optional<SortKey> last;
  if (!query.next_token.empty()) {
    MR_ASSIGN(last, read_token(query.sort_by, query.descending, query.next_token));
  }
  const auto take = [&](const SortKey& key, const Row& row) {
    if (row.name().find(query.name_contains) == std::string_view::npos) return true;
    if (!passes(*row.entry())) return true;
    if (page.records.size() == query.results_max) {
      page.next_token = make_token(query.sort_by, query.descending, *last);
      return false;
    }
    page.records.push_back(row.entry());
    last = key;
    return true;
  };
  if (query.descending) {
    auto at = std::make_reverse_iterator(last ? all.lower_bound(*last) : all.end());
    while (at != all.rend() && take(at->first, at->second)) ++at;
  } else {
    auto at = last ? all.upper_bound(*last) : all.begin();
    while (at != all.end() && take(at->first, at->second)) ++at;
  }
  return page;
}

template class Index<IndexedModel>;
template class Index<IndexedJob>;

Result<Page<ModelPtr>> list_models(const ModelIndex& index, const ListQuery& query) {
  const auto passes = [&](const IndexedModel& entry) {
    return is_within(entry.record->creation_time, query.created_after, query.created_before);
  };
  return records_of<ModelPtr>(index.page(query, passes));
}

Result<Page<JobPtr>> list_jobs(const JobIndex& index, const ListQuery& query) {
  const auto passes = [&](const IndexedJob& entry) {
    const TransformJobRecord& job = *entry.record;
    return (!query.status || job.status == *query.status) &&
           is_within(job.creation_time, query.created_after, query.created_before) &&
           is_within(job.last_modified_time, query.modified_after, query.modified_before);
  };
  return records_of<JobPtr>(index.page(query, passes));
}

}  // namespace millrace::jobs
