// A work area below a prefix of an object store: each file is an object, and the journal is a row
// of objects, one for each time that it had to be durable.
//
//   lock/0000000001     store_lock.h
//   plan
//   journal/0000000001  lines, in the order of the names; they may repeat earlier ones
//   parts/NAME
//   uploads/NAME        while NAME may have a multipart upload that a killed run would leave
#include <algorithm>
#include <charconv>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "transform/concurrently.h"
#include "transform/store_lock.h"
#include "transform/work_storage.h"

namespace millrace::transform {
namespace {

constexpr std::string_view kJournal = "journal/";
constexpr std::string_view kParts = "parts/";
constexpr std::string_view kUploads = "uploads/";

std::string segment_name(uint64_t number) {
  std::string digits = std::to_string(number);
  return std::string(kJournal) + std::string(10 - std::min<size_t>(10, digits.size()), '0') +
         digits;
}

Result<std::string> read_whole(store::ObjectReader& reader, size_t size) {
  std::string bytes(size, '\0');
  for (size_t have = 0; have < size;) {
    MR_ASSIGN(const size_t got, reader.read(std::span(bytes).subspan(have)));
    if (got == 0) return fail(corruption("it ends early"));
    have += got;
  }
  return bytes;
}

// The objects below the prefix, as files.
class Files {
 public:
  explicit Files(const StorePlace& place) : place_(place) {}

  std::string key(std::string_view name) const { return place_.prefix + std::string(name); }

  Result<std::vector<store::ObjectInfo>> list(std::string_view below) const {
    std::vector<store::ObjectInfo> found;
    MR_TRY(place_.store->list(key(below), [&](const store::ObjectInfo& object) -> Status {
      found.push_back(object);
      found.back().key.erase(0, place_.prefix.size());
      return {};
    }));
    return found;
  }

  Result<std::string> get(store::ObjectInfo named, uint64_t bytes_max = UINT64_MAX) const {
    named.key = key(named.key);
    const uint64_t size = std::min(named.size, bytes_max);
    MR_ASSIGN(const auto reader, place_.store->open(named, 0, size));
    return read_whole(*reader, static_cast<size_t>(size));
  }

  Status put(std::string_view name, std::string_view bytes,
             store::UploadJournal* uploads = nullptr) const {
    store::WriteOptions options;
    options.content_type = "text/plain";
    options.journal = uploads;
    options.expected_size = bytes.size();
    MR_ASSIGN(const auto writer, place_.store->create(key(name), options));
    MR_TRY(writer->append(bytes));
    return writer->commit();
  }

  Status remove(std::string_view name) const { return place_.store->remove(key(name)); }

  const StorePlace& place() const { return place_; }

 private:
  const StorePlace& place_;
};

// Marks which of our own files have an upload under way.
class Uploads final : public store::UploadJournal {
 public:
  explicit Uploads(const Files& files) : files_(files) {}

  Status upload_intent(std::string_view key) override { return files_.put(mark_of(key), "upload"); }
  Status upload_started(std::string_view, std::string_view) override { return {}; }
  Status upload_ended(std::string_view key) override { return files_.remove(mark_of(key)); }

  // Aborts what a killed run left.
  Status abort_all() const {
    MR_ASSIGN(const auto marks, files_.list(kUploads));
    for (const store::ObjectInfo& mark : marks) {
      MR_TRY(files_.place().store->abort_upload(files_.key(mark.key.substr(kUploads.size())), ""));
      MR_TRY(files_.remove(mark.key));
    }
    return {};
  }

 private:
  std::string mark_of(std::string_view key) const {
    return std::string(kUploads) + std::string(key.substr(files_.place().prefix.size()));
  }

  const Files& files_;
};

// The journal's objects. Lines wait until they must be durable, or until the lock is renewed.
class Segments {
 public:
  Segments(const Files& files, uint64_t next) : files_(files), next_(next) {}

  void append(std::string_view line) {
    std::lock_guard lock(mutex_);
    waiting_ += line;
  }
  bool is_due() const {
    std::lock_guard lock(mutex_);
    return waiting_.size() >= kWorkSegmentBytes;
  }

  Status sync() {
    std::lock_guard one_at_a_time(writing_);
    std::string text;
    {
      std::lock_guard lock(mutex_);
      text.swap(waiting_);
    }
    if (text.empty() || closed_) return {};
    const std::string name = segment_name(next_);
    if (Status status = files_.put(name, text); !status) {
      std::lock_guard lock(mutex_);
      waiting_.insert(0, text);
      return status;
    }
    ++next_;
    recent_.push_back(name);
    recent_text_ += text;
    if (recent_.size() >= kWorkSegmentsMax) join_recent();
    return {};
  }

  // Nothing is written any more.
  void close() {
    std::lock_guard one_at_a_time(writing_);
    closed_ = true;
  }

 private:
  // One object in place of the last ones, so that a journal is not thousands. Should we be killed
  // meanwhile, lines stand twice in it, which says the same.
  void join_recent() {
    if (files_.put(recent_.back(), recent_text_)) {
      recent_.pop_back();
      for (const std::string& name : recent_) (void)files_.remove(name);
    }
    recent_.clear();
    recent_text_.clear();
  }

  const Files& files_;
  std::mutex writing_;  // held while an object is written; guards the next four
  uint64_t next_;
  bool closed_ = false;
  std::vector<std::string> recent_;
  std::string recent_text_;
  mutable std::mutex mutex_;  // guards what follows
  std::string waiting_;
};

class StoreLog final : public JournalLog {
 public:
  explicit StoreLog(std::shared_ptr<Segments> segments) : segments_(std::move(segments)) {}
  Status append(std::string_view line) override {
    segments_->append(line);
    return {};
  }
  Status sync() override { return segments_->sync(); }
  bool is_due() const override { return segments_->is_due(); }

 private:
  const std::shared_ptr<Segments> segments_;
};

// Which files there are below parts/: what was listed, and what came since.
class KnownParts {
 public:
  void add(store::ObjectInfo named) {
    std::lock_guard lock(mutex_);
    const std::string name = named.key;
    known_[name] = std::move(named);
  }
  std::optional<store::ObjectInfo> find(const std::string& name) const {
    std::lock_guard lock(mutex_);
    const auto found = known_.find(name);
    if (found == known_.end()) return std::nullopt;
    return found->second;
  }
  bool forget(const std::string& name) {
    std::lock_guard lock(mutex_);
    return known_.erase(name) > 0;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, store::ObjectInfo> known_;
};

class PartWriter final : public store::ObjectWriter {
 public:
  PartWriter(std::unique_ptr<store::ObjectWriter> writer, std::string name, const Files& files,
             KnownParts& known)
      : writer_(std::move(writer)), name_(std::move(name)), files_(files), known_(known) {}

  Status append(std::string_view bytes) override { return writer_->append(bytes); }

  Status commit() override {
    MR_TRY(writer_->commit());
    std::optional<store::ObjectInfo> object = writer_->committed();
    if (!object) {
      MR_ASSIGN(object, files_.place().store->stat(files_.key(name_)));
    }
    object->key = name_;
    known_.add(std::move(*object));
    return {};
  }

 private:
  const std::unique_ptr<store::ObjectWriter> writer_;
  const std::string name_;
  const Files& files_;
  KnownParts& known_;
};

class StoreStorage final : public WorkStorage {
 public:
  explicit StoreStorage(StorePlace place)
      : place_(std::move(place)), files_(place_), uploads_(files_), lock_(place_, [this] {
          (void)sync_journal();  // at worst what it says is done again
        }) {}
  ~StoreStorage() override {
    if (!lock_.was_lost()) (void)sync_journal();
  }

  std::string describe() const override { return place_.store->describe(place_.prefix); }

  Status lock() override {
    if (Status taken = lock_.take(); !taken) {
      return fail(std::move(taken).error().within("lock work area " + describe()));
    }
    return uploads_.abort_all();
  }
  void watch_lock(const CancelToken& run) override { lock_.watch(run); }
  bool was_lost() const override { return lock_.was_lost(); }

  Result<std::optional<std::string>> read(const std::string& name, size_t bytes_max) override {
    std::optional<store::ObjectInfo> object = known_.find(name);
    if (!object && name.starts_with(kParts)) return std::nullopt;
    if (!object) {
      Result<store::ObjectInfo> found = place_.store->stat(files_.key(name));
      if (!found && found.error().code == Code::kNotFound) return std::nullopt;
      if (!found) return fail(std::move(found).error());
      object = std::move(*found);
      object->key = name;
    }
    MR_ASSIGN(std::string bytes, files_.get(*object, bytes_max));
    return bytes;
  }

  Status replace(const std::string& name, std::string_view bytes) override {
    return files_.put(name, bytes, &uploads_);
  }

  Result<bool> has_journal() override {
    MR_ASSIGN(const auto segments, files_.list(kJournal));
    return !segments.empty();
  }

  Status read_journal(const std::function<void(std::string_view line)>& visit) override {
    MR_ASSIGN(const auto segments, files_.list(kJournal));
    for (const store::ObjectInfo& segment : segments) {
      MR_ASSIGN(const std::string text, files_.get(segment));
      for (size_t start = 0; start < text.size();) {
        const size_t end = text.find('\n', start);
        if (end == text.npos) break;
        visit(std::string_view(text).substr(start, end - start));
        start = end + 1;
      }
    }
    return {};
  }

  Result<std::unique_ptr<JournalLog>> start_journal(std::string_view text) override {
    MR_ASSIGN(const auto earlier, files_.list(kJournal));
    uint64_t number = 0;
    if (!earlier.empty()) {
      const std::string digits = earlier.back().key.substr(kJournal.size());
      std::from_chars(digits.data(), digits.data() + digits.size(), number);
    }
    ++number;
    // It says all that is still true of those before it.
    MR_TRY(files_.put(segment_name(number), text.empty() ? "\n" : text, &uploads_));
    for (const store::ObjectInfo& segment : earlier) MR_TRY(files_.remove(segment.key));
    auto segments = std::make_shared<Segments>(files_, number + 1);
    {
      std::lock_guard lock(mutex_);
      segments_ = segments;
    }
    return std::make_unique<StoreLog>(std::move(segments));
  }

  Status open_parts(bool drop) override {
    MR_ASSIGN(const auto parts, files_.list(kParts));
    if (drop) return remove_objects(parts);
    for (const store::ObjectInfo& part : parts) known_.add(part);
    return {};
  }

  Result<std::unique_ptr<store::ObjectWriter>> create(const std::string& name) override {
    store::WriteOptions options;
    options.content_type = "application/octet-stream";
    options.journal = &uploads_;
    MR_ASSIGN(auto writer, place_.store->create(files_.key(name), options));
    return std::make_unique<PartWriter>(std::move(writer), name, files_, known_);
  }

  std::optional<uint64_t> size(const std::string& name) override {
    const auto object = known_.find(name);
    if (!object) return std::nullopt;
    return object->size;
  }

  Result<std::unique_ptr<store::ObjectReader>> open(const std::string& name,
                                                    uint64_t from) override {
    auto object = known_.find(name);
    if (!object) return fail(not_found("staged part " + place_.store->describe(files_.key(name))));
    object->key = files_.key(name);
    return place_.store->open(*object, from, object->size - std::min(from, object->size));
  }

  // What cannot be removed now is removed with the rest.
  void remove(const std::string& name) override {
    if (known_.forget(name)) (void)files_.remove(name);
  }

  Status remove_all() override {
    if (const auto writing = journal_segments()) writing->close();
    MR_TRY(uploads_.abort_all());
    MR_ASSIGN(const auto parts, files_.list(kParts));
    MR_TRY(remove_objects(parts));
    MR_TRY(files_.remove("plan"));
    // As long as the journal is there, another run knows that all is done.
    MR_ASSIGN(const auto segments, files_.list(kJournal));
    MR_TRY(remove_objects(segments));
    lock_.give_back();
    return {};
  }

 private:
  std::shared_ptr<Segments> journal_segments() const {
    std::lock_guard lock(mutex_);
    return segments_;
  }
  Status sync_journal() const {
    const auto segments = journal_segments();
    return segments ? segments->sync() : Status();
  }

  Status remove_objects(const std::vector<store::ObjectInfo>& objects) const {
    std::vector<Status> removed(objects.size());
    concurrently(objects.size(), [&](size_t i) { removed[i] = files_.remove(objects[i].key); });
    for (const Status& status : removed) MR_TRY(status);
    return {};
  }

  const StorePlace place_;
  const Files files_;
  Uploads uploads_;
  KnownParts known_;
  mutable std::mutex mutex_;
  std::shared_ptr<Segments> segments_;  // null before start_journal()
  StoreLock lock_;                      // its thread uses what is above
};

}  // namespace

std::unique_ptr<WorkStorage> make_store_storage(StorePlace place) {
  return std::make_unique<StoreStorage>(std::move(place));
}

}  // namespace millrace::transform
