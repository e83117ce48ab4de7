// Only files named as segments are ever removed, whatever else a user keeps in the folder.
#include "handler/result_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <system_error>
#include <tuple>

#include "base/limits.h"
#include "handler/result_entry.h"

namespace millrace::handler {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kExtension = ".results";
constexpr size_t kNumberDigits = 8;
constexpr uint64_t kNumberMax = 99999999;

struct Listed {
  fs::path path;
  uint64_t size = 0;
  int64_t used_ns = 0;  // mtime: last written to or, at the end of a run, last read from
  bool busy = false;    // somebody appends to it
};

std::optional<uint64_t> segment_number(const fs::path& path) {
  const std::string name = path.filename().string();
  if (name.size() != kNumberDigits + kExtension.size() || !name.ends_with(kExtension)) {
    return std::nullopt;
  }
  uint64_t number = 0;
  for (const char c : name.substr(0, kNumberDigits)) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + static_cast<uint64_t>(c - '0');
  }
  return number;
}

std::string segment_name(uint64_t number) {
  const std::string digits = std::to_string(number);
  return std::string(kNumberDigits - digits.size(), '0').append(digits).append(kExtension);
}

// Segments of one folder, in no order. What cannot be looked at is not there.
void list_segments(const fs::path& folder, std::vector<Listed>* out) {
  std::error_code code;
  for (fs::directory_iterator it(folder, code), end; !code && it != end; it.increment(code)) {
    struct stat status = {};
    if (!segment_number(it->path()) || ::lstat(it->path().c_str(), &status) != 0 ||
        !S_ISREG(status.st_mode)) {
      continue;
    }
    constexpr int64_t kNsPerSecond = 1000000000;
    out->push_back({it->path(), static_cast<uint64_t>(status.st_size),
                    status.st_mtim.tv_sec * kNsPerSecond + status.st_mtim.tv_nsec, false});
  }
}

void sort_oldest_first(std::vector<Listed>* segments) {
  std::sort(segments->begin(), segments->end(), [](const Listed& a, const Listed& b) {
    return std::tie(a.used_ns, a.path) < std::tie(b.used_ns, b.path);
  });
}

// A folder's name that reads like the identity, whatever stands in it.
std::string folder_name(const std::string& identity) {
  std::string name = identity.substr(0, limits::kFileNameBytesMax / 2);
  for (char& c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!plain && c != '-') c = '_';
  }
  return name;
}

Result<UniqueFd> lock_root(const fs::path& root) {
  const fs::path file = root / "lock";
  UniqueFd fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
  if (!fd.valid()) return fail(errno_error("open " + file.string(), errno));
  while (::flock(fd.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return fail(errno_error("lock " + file.string(), errno));
  }
  return fd;
}

// Whether no process appends to it. `*fd` then holds its lock.
bool try_lock(const fs::path& segment, int mode, UniqueFd* fd) {
  fd->reset(::open(segment.c_str(), mode | O_NOFOLLOW | O_CLOEXEC));
  return fd->valid() && ::flock(fd->get(), LOCK_EX | LOCK_NB) == 0;
}

bool is_of(int fd, const std::string& header) {
  std::string begin(header.size(), '\0');
  return ::pread(fd, begin.data(), begin.size(), 0) == static_cast<ssize_t>(begin.size()) &&
         begin == header;
}

}  // namespace

Status write_at(int fd, std::string_view bytes, uint64_t offset) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return fail(errno_error("write", written < 0 ? errno : ENOSPC));
    bytes.remove_prefix(static_cast<size_t>(written));
    offset += static_cast<uint64_t>(written);
  }
  return {};
}

Result<ResultFolder> ResultFolder::open(const fs::path& root, const std::string& identity,
                                        size_t values, uint64_t bytes_max) {
  ResultFolder folder;
  std::error_code code;
  folder.root_ = fs::absolute(root, code);
  fs::create_directories(folder.root_, code);
  if (code) return fail(errno_error("make folder " + root.string(), code.value()));
  if (!fs::is_directory(folder.root_, code)) {
    return fail(errno_error("open folder " + root.string(), ENOTDIR));
  }
  folder.folder_ = folder.root_ / folder_name(identity);
  folder.header_ = segment_header(identity, values);
  folder.bytes_max_ = bytes_max;
  folder.segment_bytes_ =
      std::min(bytes_max / limits::kResultSegmentsInBound, limits::kResultSegmentBytesMax);
  return folder;
}

std::vector<SegmentFile> ResultFolder::segments() const {
  std::vector<Listed> listed;
  list_segments(folder_, &listed);
  sort_oldest_first(&listed);
  std::vector<SegmentFile> out;
  for (auto it = listed.rbegin(); it != listed.rend(); ++it) {
    UniqueFd fd(::open(it->path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    if (fd.valid() && is_of(fd.get(), header_)) {
      out.push_back({it->path, std::move(fd), it->size});
    }
  }
  return out;
}

Result<SegmentFile> ResultFolder::writable(const std::vector<const SegmentFile*>& partial) const {
  MR_ASSIGN(const UniqueFd lock, lock_root(root_));
  for (const SegmentFile* segment : partial) {
    auto adopted = adopt(*segment);
    if (adopted) return adopted;
  }
  MR_TRY(make_room({}));
  return create();
}

void ResultFolder::unlock(const SegmentFile& segment) {
  ::flock(segment.fd.get(), LOCK_UN);
}

Result<SegmentFile> ResultFolder::adopt(const SegmentFile& partial) const {
  SegmentFile segment{partial.path, {}, partial.size};
  if (!try_lock(segment.path, O_RDWR, &segment.fd)) {
    return fail(unavailable("another process appends to " + segment.path.string()));
  }
  struct stat known = {};
  struct stat now = {};
  const bool same = ::fstat(segment.fd.get(), &now) == 0 &&
                    ::fstat(partial.fd.get(), &known) == 0 && known.st_ino == now.st_ino &&
                    known.st_dev == now.st_dev && now.st_size == static_cast<off_t>(partial.size);
  if (!same) return fail(unavailable(segment.path.string() + " has changed"));
  MR_TRY(make_room(segment.path));
  return segment;
}

// Whoever appends to a segment may fill it, so it counts as full.
Status ResultFolder::make_room(const fs::path& kept) const {
  std::vector<Listed> all;
  std::error_code code;
  for (fs::directory_iterator it(root_, code), end; !code && it != end; it.increment(code)) {
    std::error_code unknown;
    if (it->is_directory(unknown)) list_segments(it->path(), &all);
  }
  std::erase_if(all, [&](const Listed& segment) { return segment.path == kept; });
  sort_oldest_first(&all);
  uint64_t total = segment_bytes_;
  for (Listed& segment : all) {
    UniqueFd fd;
    // Nobody takes a lock while we hold the folder's.
    segment.busy = !try_lock(segment.path, O_RDONLY, &fd);
    if (segment.busy) segment.size = std::max(segment.size, segment_bytes_);
    total += segment.size;
  }
  for (const Listed& segment : all) {
    if (total <= bytes_max_) break;
    if (segment.busy || ::unlink(segment.path.c_str()) != 0) continue;
    total -= segment.size;
    fs::remove(segment.path.parent_path(), code);  // where that was the last one
  }
  if (total > bytes_max_) {
    return fail(unavailable("there is no room in " + root_.string() +
                            ": other processes are filling what may be kept there"));
  }
  return {};
}

Result<SegmentFile> ResultFolder::create() const {
  std::error_code code;
  fs::create_directories(folder_, code);
  if (code) return fail(errno_error("make folder " + folder_.string(), code.value()));
  std::vector<Listed> listed;
  list_segments(folder_, &listed);
  uint64_t number = 0;
  for (const Listed& segment : listed) number = std::max(number, *segment_number(segment.path));
  if (number == kNumberMax) return fail(internal_error("there are no more names for segments"));
  SegmentFile segment;
  segment.path = folder_ / segment_name(number + 1);
  segment.fd.reset(::open(segment.path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (!segment.fd.valid()) return fail(errno_error("create " + segment.path.string(), errno));
  Status status;
  if (::flock(segment.fd.get(), LOCK_EX | LOCK_NB) != 0) status = fail(errno_error("lock", errno));
  if (status) status = write_at(segment.fd.get(), header_, 0);
  if (!status) {
    ::unlink(segment.path.c_str());
    return fail(std::move(status).error().within(segment.path.string()));
  }
  segment.size = header_.size();
  return segment;
}

}  // namespace millrace::handler
