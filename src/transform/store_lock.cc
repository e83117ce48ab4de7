// The object is one line: who holds it, for how long it is good, and how often it was renewed.
#include "transform/store_lock.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <set>
#include <span>
#include <sstream>
#include <utility>
#include <vector>

#include "base/background.h"
#include "base/clock.h"
#include "base/xxh3.h"
#include "transform/file_io.h"

namespace millrace::transform {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
namespace fs = std::filesystem;

constexpr char kLockWord[] = "lock";
constexpr size_t kFields = 8;
constexpr size_t kLockBytesMax = 4096;
constexpr size_t kDigits = 10;
// Locks below a new one that may still be there: it removes the one that it follows, and those
// that one could not remove.
constexpr uint64_t kLower = 3;
constexpr int kLooks = 5;

std::string first_line_of(const fs::path& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  return line;
}

std::string host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "unknown";
}

// Process ids mean the same here and there: one boot of one machine, one name space. "": unknown.
std::string process_space() {
  std::error_code code;
  const std::string boot = first_line_of("/proc/sys/kernel/random/boot_id");
  const fs::path space = fs::read_symlink("/proc/self/ns/pid", code);
  return boot.empty() || code ? "" : boot + " " + space.string();
}

// When the process began; "": there is none of this id.
std::string start_of_process(const std::string& pid) {
  const std::string stat = first_line_of(fs::path("/proc") / pid / "stat");
  const size_t name_end = stat.rfind(')');
  if (name_end == stat.npos) return "";
  std::istringstream fields(stat.substr(name_end + 1));
  std::string field;
  constexpr int kStartTime = 20;  // counted from the state, which follows the name
  for (int i = 0; i < kStartTime; ++i) fields >> field;
  return field;
}

// No other lock is ever called so: no other machine, process, moment or lock of this process.
std::string unique_name() {
  static std::atomic<uint64_t> locks = 0;
  Xxh3 name;
  name.field(host_name()).field(process_space()).field(std::to_string(::getpid()));
  name.field(std::to_string(real_clock().now().time_since_epoch().count()));
  name.field(std::to_string(locks++));
  return name.hex();
}

milliseconds to_milliseconds(const std::string& text) {
  int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return milliseconds(std::clamp<int64_t>(number, 1, kWorkLeaseMax.count()));
}

// The locks that this process holds: one that could not be given back is nobody's any more.
class HeldLocks {
 public:
  void add(const std::string& owner) {
    std::lock_guard lock(mutex_);
    owners_.insert(owner);
  }
  void remove(const std::string& owner) {
    std::lock_guard lock(mutex_);
    owners_.erase(owner);
  }
  bool has(const std::string& owner) {
    std::lock_guard lock(mutex_);
    return owners_.contains(owner);
  }

 private:
  std::mutex mutex_;
  std::set<std::string> owners_;
};

HeldLocks& held_locks() {
  static HeldLocks held;
  return held;
}

Result<std::string> read_lock(store::ObjectStore& store, const store::ObjectInfo& object) {
  std::string bytes(std::min<uint64_t>(object.size, kLockBytesMax), '\0');
  MR_ASSIGN(const auto reader, store.open(object, 0, bytes.size()));
  for (size_t have = 0; have < bytes.size();) {
    MR_ASSIGN(const size_t got, reader->read(std::span(bytes).subspan(have)));
    if (got == 0) return fail(corruption("the lock ends early"));
    have += got;
  }
  return bytes;
}

}  // namespace

struct StoreLock::Seen {
  uint64_t number = 0;
  std::string text;
  std::string owner;
  milliseconds lease{0};
  std::string host, pid, space, started;

  // Its process is one of this machine, and there or not there.
  bool is_here() const { return !space.empty() && space == process_space(); }
  bool is_alive_here() const {
    if (pid == std::to_string(::getpid())) return held_locks().has(owner);
    return start_of_process(pid) == started;
  }
};

StoreLock::StoreLock(const StorePlace& place, std::function<void()> tick)
    : place_(place), tick_(std::move(tick)), owner_(unique_name()) {}

StoreLock::~StoreLock() {
  give_back();
}

milliseconds StoreLock::lease() const {
  return place_.lease.count() > 0 ? place_.lease : kWorkLease;
}

std::string StoreLock::text() const {
  const std::string pid = std::to_string(::getpid());
  return format_line({kLockWord, owner_, std::to_string(lease().count()), host_name(), pid,
                      process_space(), start_of_process(pid), std::to_string(renewals_)});
}

std::string StoreLock::key(uint64_t number) const {
  std::string digits = std::to_string(number);
  digits.insert(0, kDigits - std::min(kDigits, digits.size()), '0');
  return place_.prefix + "lock/" + digits;
}

// Nothing: there is no lock. One that is no lock of ours has no holder that could be alive.
Result<std::optional<StoreLock::Seen>> StoreLock::look() const {
  for (int i = 0;; ++i) {
    std::optional<store::ObjectInfo> highest;
    MR_TRY(place_.store->list(place_.prefix + "lock/", [&](const store::ObjectInfo& object) {
      highest = object;
      return Status();
    }));
    if (!highest) return std::nullopt;
    const Result<std::string> text = read_lock(*place_.store, *highest);
    if (!text && i + 1 < kLooks) continue;  // it was written anew meanwhile, or is gone
    if (!text) return fail(text.error());
    Seen seen;
    seen.text = *text;
    const std::string digits = highest->key.substr(place_.prefix.size() + 5);
    std::from_chars(digits.data(), digits.data() + digits.size(), seen.number);
    const auto fields = parse_line(text->substr(0, text->find('\n')));
    if (fields.size() == kFields && fields[0] == kLockWord) {
      seen.owner = fields[1];
      seen.lease = to_milliseconds(fields[2]);
      seen.host = fields[3];
      seen.pid = fields[4];
      seen.space = fields[5];
      seen.started = fields[6];
    }
    return seen;
  }
}

Status StoreLock::put(uint64_t number, bool overwrite) {
  store::WriteOptions options;
  options.content_type = "text/plain";
  options.overwrite = overwrite;
  ++renewals_;
  MR_ASSIGN(const auto writer, place_.store->create(key(number), options));
  MR_TRY(writer->append(text()));
  return writer->commit();
}

// True: the lock is ours. False: somebody was faster.
Result<bool> StoreLock::make(uint64_t number) {
  if (Status made = put(number, /*overwrite=*/false); !made) {
    if (made.error().code == Code::kAlreadyExists) return false;
    return fail(std::move(made).error());
  }
  // Not every server heeds the condition.
  MR_ASSIGN(const std::optional<Seen> now, look());
  if (!now || now->owner != owner_) return false;
  number_ = number;
  for (uint64_t i = number > kLower ? number - kLower : 1; i < number; ++i) {
    (void)place_.store->remove(key(i));
  }
  return true;
}

Status StoreLock::take() {
  for (;;) {
    MR_ASSIGN(const std::optional<Seen> seen, look());
    if (seen) MR_TRY(wait_for_end_of(*seen));
    MR_ASSIGN(const bool ours, make(seen ? seen->number + 1 : 1));
    if (!ours) continue;
    held_locks().add(owner_);
    held_ = true;
    auto keeper = start_thread([this] { keep(); });
    if (!keeper) {
      give_back();
      return fail(std::move(keeper).error().within("keep the lock of the job's work area"));
    }
    keeper_ = std::move(*keeper);
    return {};
  }
}

// Returns when the holder is known to be gone, or the lock has changed or vanished after all.
Status StoreLock::wait_for_end_of(const Seen& seen) const {
  const std::string area = place_.store->describe(place_.prefix);
  const std::string holder = "process " + seen.pid + " on " + seen.host;
  const Error refusal =
      already_exists("the job is running already: work area " + area + " is locked by " + holder);
  if (seen.owner.empty()) return {};
  if (seen.is_here()) return seen.is_alive_here() ? Status(fail(refusal)) : Status();
  if (place_.notice) {
    place_.notice("work area " + area + " is locked by " + holder + "; waiting up to " +
                  std::to_string((seen.lease.count() + 999) / 1000) +
                  " s to see whether that is still running");
  }
  const auto end = steady_clock::now() + seen.lease;
  const milliseconds pause = std::min(milliseconds(1000), seen.lease / 4 + milliseconds(1));
  while (steady_clock::now() < end) {
    if (!real_clock().sleep(pause, place_.cancel)) return fail(cancelled("stopped"));
    MR_ASSIGN(const std::optional<Seen> now, look());
    if (!now) return {};
    if (now->text != seen.text) return fail(refusal);
  }
  return {};
}

void StoreLock::keep() {
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, lease() / 3, [this] { return ending_; })) {
    lock.unlock();
    tick_();
    renew();
    lock.lock();
    if (lost_) return;
  }
}

// What cannot be asked or written now is tried again the next time: as long as nobody took it, the
// lock is ours.
void StoreLock::renew() {
  const Result<std::optional<Seen>> now = look();
  if (!now) return;
  if (!*now || (*now)->owner != owner_) return lose();
  (void)put(number_, /*overwrite=*/true);
}

void StoreLock::lose() {
  std::lock_guard lock(mutex_);
  lost_ = true;
  if (run_) run_->cancel();
}

void StoreLock::watch(const CancelToken& run) {
  std::lock_guard lock(mutex_);
  run_ = run;
  if (lost_) run.cancel();
}

bool StoreLock::was_lost() const {
  std::lock_guard lock(mutex_);
  return lost_;
}

void StoreLock::give_back() {
  if (!std::exchange(held_, false)) return;
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  if (keeper_.joinable()) keeper_.join();
  held_locks().remove(owner_);
  if (was_lost()) return;
  const Result<std::optional<Seen>> now = look();
  if (now && *now && (*now)->owner == owner_) (void)place_.store->remove(key(number_));
}

}  // namespace millrace::transform
