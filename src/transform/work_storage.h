// WorkStorage: what a work area is kept in: a folder, or a prefix of an object store for machines
// that vanish. Small files that are replaced whole, files that appear whole, a journal that only
// grows, and the lock that makes all of it one process's own.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/cancel.h"
#include "base/result.h"
#include "store/object_store.h"

namespace millrace::transform {

// A work area in a store: how long its lock is good for when it is not renewed. Three renewals may
// fail before another machine may take it; a job whose machine was lost waits so long at most.
constexpr std::chrono::milliseconds kWorkLease(30000);
constexpr std::chrono::milliseconds kWorkLeaseMax(600000);  // whatever a lock says
// Its journal: lines are written when there are so many bytes of them, at the latest with the next
// renewal; and so many objects of it become one, which stays below one upload part.
constexpr size_t kWorkSegmentBytes = 64 * 1024;
constexpr size_t kWorkSegmentsMax = 64;

// Where the journal's lines go. append() and is_due() are called by one thread at a time; sync()
// may run beside them.
class JournalLog {
 public:
  virtual ~JournalLog() = default;
  // After an error nothing of `line` is there, or broken() is true: then what is there is not
  // known.
  virtual Status append(std::string_view line) = 0;
  // What was appended before is durable when it answers.
  virtual Status sync() = 0;
  virtual bool broken() const { return false; }
  // So much was appended since the last sync that one should come.
  virtual bool is_due() const { return false; }
};

// Names are those of work_area.h: "plan", "parts/NAME". Thread-safe for different names.
class WorkStorage {
 public:
  virtual ~WorkStorage() = default;

  // How messages name it.
  virtual std::string describe() const = 0;

  // Makes what is missing, and makes it ours until this object is destroyed. Held by another
  // process: already_exists, which names the place and the process.
  virtual Status lock() = 0;
  // What is below: REQUIRES: lock() succeeded, but where it says otherwise.

  // Cancels `run` should the lock be lost to another process; was_lost() then says so.
  virtual void watch_lock(const CancelToken& run) { (void)run; }
  virtual bool was_lost() const { return false; }

  // The first `bytes_max` bytes at most; nothing where there is no such file. Needs no lock.
  virtual Result<std::optional<std::string>> read(const std::string& name, size_t bytes_max) = 0;
  // The file holds `bytes`, or what it held before.
  virtual Status replace(const std::string& name, std::string_view bytes) = 0;

  virtual Result<bool> has_journal() = 0;
  // Each whole line of the journal, in order. No journal: none. Needs no lock.
  virtual Status read_journal(const std::function<void(std::string_view line)>& visit) = 0;
  // A new journal in place of the one there is, which begins with `text`.
  virtual Result<std::unique_ptr<JournalLog>> start_journal(std::string_view text) = 0;

  // Makes room for parts/, where `drop` without what is in it, and removes what a killed run was
  // still writing there.
  virtual Status open_parts(bool drop) = 0;
  // Nothing is there before commit().
  virtual Result<std::unique_ptr<store::ObjectWriter>> create(const std::string& name) = 0;
  // Nothing where there is no such file. REQUIRES: open_parts() succeeded.
  virtual std::optional<uint64_t> size(const std::string& name) = 0;
  virtual Result<std::unique_ptr<store::ObjectReader>> open(const std::string& name,
                                                            uint64_t from) = 0;
  virtual void remove(const std::string& name) = 0;  // none there: fine

  // Removes all that a work area holds, the lock last, and nothing else.
  virtual Status remove_all() = 0;
};

std::unique_ptr<WorkStorage> make_folder_storage(const std::filesystem::path& folder);

// A prefix (which ends in '/') of an object store.
struct StorePlace {
  std::shared_ptr<store::ObjectStore> store;
  std::string prefix;
  std::chrono::milliseconds lease{0};  // 0: kWorkLease
  // Told while it is waited for a lock whose holder may be gone.
  std::function<void(const std::string&)> notice;
  CancelToken cancel;  // ends that wait
};
std::unique_ptr<WorkStorage> make_store_storage(StorePlace place);

}  // namespace millrace::transform
