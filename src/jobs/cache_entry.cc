#include "jobs/cache_entry.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <chrono>
#include <fstream>
#include <system_error>

#include "base/clock.h"

namespace millrace::jobs {
namespace {

namespace fs = std::filesystem;

// How often it is looked whether somebody else is done: they need seconds.
constexpr std::chrono::milliseconds kLockPoll(100);
constexpr const char* kComplete = ".complete";

Status make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return fail(errno_error("make the folder " + folder.string(), error.value()));
  return {};
}

// Removed with everything in it unless it was kept.
class TemporaryFolder {
 public:
  explicit TemporaryFolder(fs::path path) : path_(std::move(path)) {}
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  void kept() { path_.clear(); }

 private:
  fs::path path_;
};

}  // namespace

// The kernel lets go of it however we end. Lock files stay: removing one under another's feet would
// give two owners.
Result<UniqueFd> lock_cache(const fs::path& folder, const std::string& name,
                            const CancelToken& cancel) {
  MR_TRY(make_folder(folder));
  const fs::path path = folder / name;
  UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!file.valid()) return fail(errno_error("open " + path.string(), errno));
  while (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) {
      return fail(errno_error("lock " + path.string(), errno));
    }
    if (!real_clock().sleep(kLockPoll, cancel)) return fail(cancelled("cancelled"));
  }
  return file;
}

Result<fs::path> cache_entry(const fs::path& cache, const std::string& name,
                             const CancelToken& cancel,
                             const std::function<Status(const fs::path&)>& fill) {
  const fs::path entry = cache / name;
  std::error_code error;
  if (fs::is_directory(entry, error)) return entry;
  MR_ASSIGN(const UniqueFd locked, lock_cache(cache / ".locks", name, cancel));
  if (fs::is_directory(entry, error)) return entry;
  const fs::path making = cache / (name + ".making");
  fs::remove_all(making, error);
  MR_TRY(make_folder(making));
  TemporaryFolder temporary(making);
  MR_TRY(fill(making));
  fs::rename(making, entry, error);
  if (error) return fail(errno_error("make " + entry.string(), error.value()));
  temporary.kept();
  return entry;
}

Result<fs::path> cache_entry_in_place(const fs::path& cache, const std::string& name,
                                      const CancelToken& cancel,
                                      const std::function<Status(const fs::path&)>& fill) {
  const fs::path entry = cache / name;
  std::error_code error;
  if (fs::exists(entry / kComplete, error)) return entry;
  MR_ASSIGN(const UniqueFd locked, lock_cache(cache / ".locks", name, cancel));
  if (fs::exists(entry / kComplete, error)) return entry;
  fs::remove_all(entry, error);
  MR_TRY(make_folder(entry));
  TemporaryFolder temporary(entry);
  MR_TRY(fill(entry));
  std::ofstream mark(entry / kComplete);
  mark.close();
  if (!mark) return fail(internal_error("cannot write to " + entry.string()));
  temporary.kept();
  return entry;
}

}  // namespace millrace::jobs
