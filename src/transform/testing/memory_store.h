// MemoryStore: an object store for tests that behaves as S3 does (uploads that stay until they are
// committed or aborted) and fails on demand: at the k-th call, or at it and every later one.
#pragma once

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "store/object_store.h"

namespace millrace::testing {

class MemoryStore : public store::ObjectStore {
 public:
  explicit MemoryStore(std::string bucket = "b") : bucket_(std::move(bucket)) {}

  // --- for the test ---

  void put(const std::string& key, std::string bytes) {
    std::lock_guard lock(mutex_);
    objects_[key] = {std::move(bytes), "v" + std::to_string(++versions_)};
  }
  std::optional<std::string> get(const std::string& key) {
    std::lock_guard lock(mutex_);
    const auto found = objects_.find(key);
    if (found == objects_.end()) return std::nullopt;
    return found->second.bytes;
  }
  std::map<std::string, std::string> all() {
    std::lock_guard lock(mutex_);
    std::map<std::string, std::string> all;
    for (const auto& [key, object] : objects_) all[key] = object.bytes;
    return all;
  }
  size_t open_uploads() {
    std::lock_guard lock(mutex_);
    return uploads_.size();
  }
  // An upload as a killed process leaves it.
  std::string leave_upload(const std::string& key) {
    std::lock_guard lock(mutex_);
    const std::string id = "upload-" + std::to_string(++versions_);
    uploads_[id] = key;
    return id;
  }
  // Calls are counted from 0; call `k` fails, and with `and_later` all after it.
  void fail_call(int64_t k, bool and_later) {
    calls_ = 0;
    fail_at_ = k;
    fail_later_ = and_later;
  }
  void heal() { fail_at_ = -1; }
  int64_t calls() const { return calls_; }
  int64_t opens() const { return opens_; }
  // Read calls give at most this many bytes.
  void set_read_bytes_max(size_t bytes) { read_bytes_max_ = bytes; }
  // Writes of a key that contains `text` fail, as on a full disk.
  void fail_writes_of(std::string text) { full_ = std::move(text); }

  // --- the store ---

  Status list(std::string_view prefix,
              const std::function<Status(const store::ObjectInfo&)>& visit) override {
    MR_TRY(call("list"));
    std::vector<store::ObjectInfo> found;
    {
      std::lock_guard lock(mutex_);
      for (const auto& [key, object] : objects_) {
        if (key.starts_with(prefix)) found.push_back(info(key, object));
      }
    }
    for (const store::ObjectInfo& object : found) MR_TRY(visit(object));
    return {};
  }

  Result<store::ObjectInfo> stat(std::string_view key) override {
    MR_TRY(call("stat"));
    std::lock_guard lock(mutex_);
    const auto found = objects_.find(std::string(key));
    if (found == objects_.end()) return fail(not_found("stat " + describe(key) + ": not found"));
    store::ObjectInfo object = info(found->first, found->second);
    object.metadata = found->second.metadata;
    return object;
  }

  Result<std::unique_ptr<store::ObjectReader>> open(const store::ObjectInfo& object,
                                                    uint64_t offset, uint64_t length) override {
    MR_TRY(call("open"));
    ++opens_;
    std::lock_guard lock(mutex_);
    const auto found = objects_.find(object.key);
    if (found == objects_.end()) return fail(not_found("open " + describe(object.key)));
    if (found->second.etag != object.etag) {
      return fail(bad_input("read " + describe(object.key) + ": it changed since it was listed"));
    }
    return std::make_unique<Reader>(*this, found->second.bytes.substr(offset, length));
  }

  Result<std::unique_ptr<store::ObjectWriter>> create(std::string_view key,
                                                      const store::WriteOptions& options) override {
    if (options.journal != nullptr) MR_TRY(options.journal->upload_intent(key));
    MR_TRY(call("create"));
    const std::string id = leave_upload(std::string(key));
    auto writer = std::make_unique<Writer>(*this, std::string(key), id, options);
    if (options.journal != nullptr) MR_TRY(options.journal->upload_started(key, id));
    return writer;
  }

  Status abort_upload(std::string_view key, std::string_view upload_id) override {
    MR_TRY(call("abort upload"));
    std::lock_guard lock(mutex_);
    std::erase_if(uploads_, [&](const auto& upload) {
      return upload.second == key && (upload_id.empty() || upload.first == upload_id);
    });
    return {};
  }

  Status remove(std::string_view key) override {
    MR_TRY(call("remove"));
    std::lock_guard lock(mutex_);
    objects_.erase(std::string(key));
    return {};
  }

  std::string describe(std::string_view key) const override {
    return "s3://" + bucket_ + "/" + std::string(key);
  }

 private:
  struct Object {
    std::string bytes;
    std::string etag;
    std::map<std::string, std::string> metadata = {};
  };

  class Reader final : public store::ObjectReader {
   public:
    Reader(MemoryStore& store, std::string bytes) : store_(store), bytes_(std::move(bytes)) {}
    Result<size_t> read(std::span<char> buffer) override {
      MR_TRY(store_.call("read"));
      const size_t got =
          std::min({buffer.size(), bytes_.size() - position_, store_.read_bytes_max_});
      std::copy_n(bytes_.data() + position_, got, buffer.data());
      position_ += got;
      return got;
    }

   private:
    MemoryStore& store_;
    const std::string bytes_;
    size_t position_ = 0;
  };

  class Writer final : public store::ObjectWriter {
   public:
    Writer(MemoryStore& store, std::string key, std::string id, const store::WriteOptions& options)
        : store_(store), key_(std::move(key)), id_(std::move(id)), options_(options) {}
    ~Writer() override {
      if (!ended_ && store_.abort_upload(key_, id_)) end();
    }
    Status append(std::string_view bytes) override {
      MR_TRY(store_.call("append"));
      if (!store_.full_.empty() && key_.find(store_.full_) != std::string::npos) {
        return fail(errno_error("write " + store_.describe(key_), ENOSPC));
      }
      bytes_ += bytes;
      return {};
    }
    Status commit() override {
      MR_TRY(store_.call("commit"));
      if (!options_.overwrite && store_.get(key_)) {
        return fail(already_exists("write " + store_.describe(key_) + ": it exists already"));
      }
      store_.put(key_, bytes_);
      {
        std::lock_guard lock(store_.mutex_);
        store_.objects_[key_].metadata = options_.metadata;
        store_.uploads_.erase(id_);
      }
      end();
      return {};
    }

   private:
    void end() {
      ended_ = true;
      if (options_.journal != nullptr) (void)options_.journal->upload_ended(key_);
    }

    MemoryStore& store_;
    const std::string key_;
    const std::string id_;
    const store::WriteOptions options_;
    std::string bytes_;
    bool ended_ = false;
  };

  Status call(const char* what) {
    const int64_t k = calls_++;
    if (fail_at_ >= 0 && (k == fail_at_ || (fail_later_ && k > fail_at_))) {
      return fail(unavailable(std::string(what) + ": the store fails on demand"));
    }
    return {};
  }

  static store::ObjectInfo info(const std::string& key, const Object& object) {
    return {key, object.bytes.size(), object.etag, "", {}};
  }

  const std::string bucket_;
  std::mutex mutex_;
  std::map<std::string, Object> objects_;
  std::map<std::string, std::string> uploads_;  // id -> key
  uint64_t versions_ = 0;
  std::atomic<int64_t> calls_{0};
  std::atomic<int64_t> opens_{0};
  std::atomic<int64_t> fail_at_{-1};
  std::atomic<bool> fail_later_{false};
  size_t read_bytes_max_ = static_cast<size_t>(-1);
  std::string full_;
};

}  // namespace millrace::testing
