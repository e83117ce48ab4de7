// The work area on a local file system: flock for the lock, rename for everything that must be
// there whole or not at all.
#include "transform/work_area.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <system_error>
#include <utility>

#include "base/clock.h"
#include "transform/file_io.h"

namespace millrace::transform {
namespace {

namespace fs = std::filesystem;

Error file_error(const std::string& what, const std::error_code& code) {
  return errno_error(what, code.value());
}

std::string pid_in(const fs::path& lock_file) {
  std::ifstream in(lock_file);
  std::string pid;
  std::getline(in, pid);
  return pid.empty() ? "unknown" : pid;
}

// A completed job removes its area, lock file included: the lock that we then hold is on no file
// that anybody else will find.
bool is_still_there(int fd, const fs::path& file) {
  struct stat ours = {};
  struct stat there = {};
  return ::fstat(fd, &ours) == 0 && ::stat(file.c_str(), &there) == 0 &&
         ours.st_ino == there.st_ino && ours.st_dev == there.st_dev;
}

Result<UniqueFd> try_lock(const fs::path& folder) {
  const fs::path file = folder / "lock";
  UniqueFd fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd.valid()) return fail(errno_error("open the job's lock " + file.string(), errno));
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
  if (errno != EWOULDBLOCK) return fail(errno_error("lock " + file.string(), errno));
  return fail(already_exists("the job is running already: work area " + folder.string() +
                             " is locked by process " + pid_in(file)));
}

Result<UniqueFd> lock_folder(const fs::path& folder) {
  for (;;) {
    std::error_code code;
    fs::create_directories(folder, code);
    if (code) return fail(file_error("make work area " + folder.string(), code));
    MR_ASSIGN(UniqueFd fd, try_lock(folder));
    if (!is_still_there(fd.get(), folder / "lock")) continue;
    const std::string pid = std::to_string(::getpid()) + "\n";
    if (::ftruncate(fd.get(), 0) != 0 || ::pwrite(fd.get(), pid.data(), pid.size(), 0) < 0) {
      return fail(errno_error("write " + (folder / "lock").string(), errno));
    }
    return fd;
  }
}

// The line after the first, without its end, of a plan that begins with `first_line`; "": none.
std::string second_line_of(const fs::path& plan, const std::string& first_line) {
  std::ifstream in(plan, std::ios::binary);
  std::string first, second;
  if (!std::getline(in, first) || in.eof() || first + '\n' != first_line) return "";
  std::getline(in, second);
  return second;
}

// What still holds when a job goes on under `digest`; what was made under other settings does not.
JournalState kept_under(const JournalState& earlier, const std::string& digest) {
  JournalState kept;
  for (const auto& [key, output] : earlier.committed) {
    if (output.settings_digest == digest) kept.committed.emplace(key, output);
  }
  for (const auto& [key, under] : earlier.committing) {
    if (under == digest) kept.committing.emplace(key, under);
  }
  kept.open_uploads = earlier.open_uploads;
  return kept;
}

}  // namespace

Result<std::unique_ptr<WorkArea>> WorkArea::open(const fs::path& folder) {
  MR_ASSIGN(UniqueFd lock, lock_folder(folder));
  std::unique_ptr<WorkArea> area(new WorkArea(folder, std::move(lock)));
  std::error_code code;
  area->is_new_ = !fs::exists(folder / "journal", code);
  MR_ASSIGN(area->earlier_, read_journal(folder / "journal"));
  return area;
}

Status WorkArea::clean_up(store::ObjectStore& output) {
  for (const auto& [key, upload_id] : earlier_.open_uploads) {
    if (Status status = output.abort_upload(key, upload_id); !status) {
      return fail(std::move(status).error().within("abort the upload of " + output.describe(key) +
                                                   " that an earlier run left"));
    }
  }
  earlier_.open_uploads.clear();
  return {};
}

Status WorkArea::begin(const TransformJob& job, const store::ObjectStore& input,
                       const store::ObjectStore& output) {
  const std::string first_line = format_line({"job", job.name, job.settings_digest});
  const std::string second_line = second_line_of(folder_ / "plan", first_line);
  if (second_line.empty()) MR_TRY(staged_.drop());
  MR_TRY(staged_.open());
  const auto earlier_start = parse_line(second_line);
  const bool known = earlier_start.size() == 2 && earlier_start[0] == "started";
  started_ = known ? earlier_start[1] : format_iso8601(real_clock().now());

  std::string plan = first_line + format_line({"started", started_});
  for (const PlannedObject& object : job.objects) {
    plan +=
        format_line({"object", input.describe(object.input.key), std::to_string(object.input.size),
                     object.input.etag, output.describe(object.output_key)});
  }
  MR_TRY(replace_file(folder_ / "plan", plan));

  earlier_ = kept_under(earlier_, job.settings_digest);
  MR_ASSIGN(journal_, Journal::create(folder_ / "journal", earlier_));
  return {};
}

// Only what a work area holds is removed: a folder with anything else in it stays.
Status WorkArea::remove() {
  std::error_code code;
  fs::remove_all(folder_ / "parts", code);
  for (const char* name : {"journal", "plan", "lock"}) {
    if (!code) fs::remove(folder_ / name, code);
  }
  if (code) return fail(file_error("remove work area " + folder_.string(), code));
  fs::remove(folder_, code);
  return {};
}

}  // namespace millrace::transform
