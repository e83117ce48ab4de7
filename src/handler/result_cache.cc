// The index holds places, not answers: whatever stands at a place is read, checked and compared
// before it is used. Files are read by pread: one that somebody cuts short under us is a miss,
// where a mapping would be a crash.
#include "handler/result_cache.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/check.h"

namespace millrace::handler {

namespace {

// A location in 32 bits: the segment's slot, and the offset in units of the alignment.
constexpr unsigned kOffsetBits = 24;
constexpr size_t kSlots = size_t{1} << (32 - kOffsetBits);
static_assert(limits::kResultSegmentBytesMax <= kEntryAlignment << kOffsetBits);
// Slots that a long job fills anew stay free at the start.
constexpr size_t kSlotsLoadedMax = kSlots - 32;

uint32_t location_of(size_t slot, uint64_t offset) {
  return static_cast<uint32_t>(slot << kOffsetBits | offset / kEntryAlignment);
}

size_t slot_of(uint32_t location) {
  return location >> kOffsetBits;
}

uint64_t offset_of(uint32_t location) {
  return uint64_t{location & ((uint32_t{1} << kOffsetBits) - 1)} * kEntryAlignment;
}

}  // namespace

void ResultBatch::clear() {
  bytes_.clear();
  entries_.clear();
}

void ResultBatch::add(const ResultKey& key, std::span<const float> logits,
                      std::span<const float> embedding) {
  values_.assign(logits.begin(), logits.end());
  values_.insert(values_.end(), embedding.begin(), embedding.end());
  const size_t offset = bytes_.size();
  append_entry(key, values_, &bytes_);
  if (bytes_.size() - offset > limits::kResultEntryBytesMax) {
    bytes_.resize(offset);
  } else {
    entries_.push_back({key.hash, offset});
  }
}

Result<std::unique_ptr<ResultCache>> ResultCache::open(const ResultCacheOptions& options) {
  // With embeddings an entry holds other values: not the ones that a run without can take.
  const std::string identity = options.identity + (options.hidden > 0 ? "-embedding" : "");
  MR_ASSIGN(ResultFolder folder,
            ResultFolder::open(options.folder, identity, options.labels + options.hidden,
                               options.bytes_max));
  std::unique_ptr<ResultCache> cache(new ResultCache(options, std::move(folder)));
  cache->load();
  return cache;
}

ResultCache::ResultCache(const ResultCacheOptions& options, ResultFolder folder)
    : labels_(options.labels),
      hidden_(options.hidden),
      entries_max_(options.entries_max),
      folder_(std::move(folder)),
      segments_(kSlots) {}

// Segments that were of use are kept longer than others.
ResultCache::~ResultCache() {
  for (const size_t slot : age_) {
    if (segments_[slot]->used) ::futimens(segments_[slot]->file.fd.get(), nullptr);
  }
}

void ResultCache::load() {
  size_t slot = 0;
  for (SegmentFile& file : folder_.segments()) {
    if (slot == kSlotsLoadedMax || index_.size() >= entries_max_) break;
    segments_[slot] = std::make_unique<Segment>();
    segments_[slot]->file = std::move(file);
    load_segment(slot);
    age_.insert(age_.begin(), slot++);
  }
}

void ResultCache::load_segment(size_t slot) {
  Segment& segment = *segments_[slot];
  std::string buffer;  // the bytes of the file from segment.end on
  std::vector<FoundEntry> found;
  segment.end = folder_.header_bytes();
  for (;;) {
    const size_t carried = buffer.size();
    buffer.resize(carried + limits::kReadBlockBytes);
    const ssize_t got = ::pread(segment.file.fd.get(), buffer.data() + carried,
                                limits::kReadBlockBytes, static_cast<off_t>(segment.end + carried));
    buffer.resize(carried + static_cast<size_t>(std::max<ssize_t>(got, 0)));
    found.clear();
    const Scan scan = scan_entries(buffer, &found);
    for (const FoundEntry& entry : found) {
      const bool beyond = segment.end + entry.offset >= limits::kResultSegmentBytesMax;
      if (beyond || index_.size() >= entries_max_) break;
      index_.put(entry.hash, location_of(slot, segment.end + entry.offset));
    }
    segment.end += scan.end;
    buffer.erase(0, scan.end);
    if (got <= 0 || scan.damaged) {
      segment.whole = got == 0 && buffer.empty();
      return;
    }
  }
}

size_t ResultCache::answer(RowBlock* block, ResultReader* reader) {
  reader->values.resize(labels_ + hidden_);
  size_t count = 0;
  const std::shared_lock lock(mutex_);
  for (size_t i = 0; i < block->rows.size(); ++i) {
    RowBlock::Row& row = block->rows[i];
    if (!row.open() || !find({block->ids_of(row), block->types_of(row), row.hash}, reader)) {
      continue;
    }
    std::copy_n(reader->values.data(), labels_, block->logits.data() + i * labels_);
    std::copy_n(reader->values.data() + labels_, hidden_, block->embeddings.data() + i * hidden_);
    row.cached = true;
    ++count;
  }
  return count;
}

bool ResultCache::find(const ResultKey& key, ResultReader* reader) {
  size_t bytes = 0;  // 0: the image is not made yet
  return index_.find(key.hash, [&](uint32_t location) {
    if (bytes == 0) {
      make_key_image(key, labels_ + hidden_, &reader->image, &bytes);
      reader->entry.resize(bytes);
    }
    Segment& segment = *segments_[slot_of(location)];
    const ssize_t got = ::pread(segment.file.fd.get(), reader->entry.data(), bytes,
                                static_cast<off_t>(offset_of(location)));
    if (got != static_cast<ssize_t>(bytes)) return false;
    if (!read_entry(reader->entry, reader->image, reader->values)) return false;
    if (!segment.used.load(std::memory_order_relaxed)) segment.used = true;
    return true;
  });
}

void ResultCache::keep(const ResultBatch& batch) {
  if (batch.empty()) return;
  const std::lock_guard lock(write_mutex_);
  if (problem_) return;
  if (Status status = append(batch); !status) {
    problem_ = std::move(status).error().message;
    if (writing_) ResultFolder::unlock(segments_[*writing_]->file);
  }
}

std::optional<std::string> ResultCache::problem() const {
  const std::lock_guard lock(write_mutex_);
  return problem_;
}

Status ResultCache::append(const ResultBatch& batch) {
  const uint64_t room = folder_.segment_bytes();
  if (folder_.header_bytes() + batch.bytes_.size() > room) return {};
  if (!writing_ || segments_[*writing_]->end + batch.bytes_.size() > room) MR_TRY(open_segment());
  Segment& segment = *segments_[*writing_];
  if (Status status = write_at(segment.file.fd.get(), batch.bytes_, segment.end); !status) {
    // Nobody knows of what lies there: the segment stays whole.
    if (::ftruncate(segment.file.fd.get(), static_cast<off_t>(segment.end)) != 0) {
      segment.whole = false;
    }
    return fail(std::move(status).error().within(segment.file.path.string()));
  }
  const std::unique_lock lock(mutex_);
  make_index_room(batch.entries_.size());
  for (const FoundEntry& entry : batch.entries_) {
    index_.put(entry.hash, location_of(*writing_, segment.end + entry.offset));
  }
  segment.end += batch.bytes_.size();
  return {};
}

// From here on results go into a segment with room: one that an earlier run left unfinished, so
// that many small runs do not make many files; else a new one.
Status ResultCache::open_segment() {
  std::vector<const SegmentFile*> partial;
  for (auto slot = age_.rbegin(); !writing_ && slot != age_.rend(); ++slot) {
    Segment& segment = *segments_[*slot];
    if (!segment.whole || segment.end > folder_.segment_bytes() / 2) continue;
    segment.file.size = segment.end;
    partial.push_back(&segment.file);
  }
  if (writing_) ResultFolder::unlock(segments_[*writing_]->file);
  writing_.reset();
  MR_ASSIGN(SegmentFile file, folder_.writable(partial));
  const std::unique_lock lock(mutex_);
  for (const size_t slot : age_) {
    if (segments_[slot]->file.path != file.path) continue;
    segments_[slot]->file.fd = std::move(file.fd);
    writing_ = slot;
    return {};
  }
  const size_t slot = free_slot();
  segments_[slot] = std::make_unique<Segment>();
  segments_[slot]->end = file.size;
  segments_[slot]->file = std::move(file);
  age_.push_back(slot);
  writing_ = slot;
  return {};
}

size_t ResultCache::free_slot() {
  if (age_.size() == kSlots) drop_oldest();
  const auto free = std::find(segments_.begin(), segments_.end(), nullptr);
  MR_CHECK(free != segments_.end());
  return static_cast<size_t>(free - segments_.begin());
}

void ResultCache::make_index_room(size_t entries) {
  while (index_.size() + entries > entries_max_ && age_.size() > 1) drop_oldest();
}

// Its entries are forgotten, not removed. The segment that is written to stays.
void ResultCache::drop_oldest() {
  const size_t slot = age_[age_[0] == writing_ ? 1 : 0];
  index_.remove_if([&](uint32_t location) { return slot_of(location) == slot; });
  segments_[slot].reset();
  std::erase(age_, slot);
}

}  // namespace millrace::handler
