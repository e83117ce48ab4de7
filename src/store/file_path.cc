#include "store/file_path.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "base/limits.h"

namespace millrace::store {
namespace {

constexpr int kFolderFlags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;

Error bad_key(std::string_view key, std::string_view why) {
  std::string shown(key.substr(0, limits::kErrorExcerptBytesMax));
  for (char& c : shown) {
    if (c == '\0') c = '?';
  }
  if (shown.size() < key.size()) shown += "...";
  return bad_input("key '" + shown + "' cannot be a file: " + std::string(why));
}

const char* problem_of_component(std::string_view component) {
  if (component.empty()) return "an empty path component";
  if (component == "." || component == "..") return "a '.' or '..' path component";
  if (component.size() > limits::kFileNameBytesMax) return "a path component over 255 bytes";
  return nullptr;
}

// EINTR aside, the call is made once.
template <class Call>
int retry_interrupted(Call call) {
  int result = -1;
  do {
    result = call();
  } while (result < 0 && errno == EINTR);
  return result < 0 ? -errno : result;
}

// Set once openat2 has answered that it is not there (old kernel) or not allowed (seccomp).
std::atomic<bool> openat2_missing{false};

}  // namespace

std::string KeyPath::folder(size_t count) const {
  std::string joined;
  for (size_t i = 0; i < count; ++i) {
    if (i > 0) joined += '/';
    joined += folders[i];
  }
  return joined;
}

Result<KeyPath> parse_key(std::string_view key) {
  if (key.empty()) return fail(bad_key(key, "it is empty"));
  if (key.front() == '/') return fail(bad_key(key, "it begins with '/'"));
  if (key.find('\0') != std::string_view::npos) return fail(bad_key(key, "it holds a NUL byte"));
  KeyPath path;
  size_t begin = 0;
  while (true) {
    const size_t slash = key.find('/', begin);
    const bool last = slash == std::string_view::npos;
    const std::string_view component = key.substr(begin, last ? key.npos : slash - begin);
    if (last && component.empty()) return fail(bad_key(key, "it ends with '/'"));
    if (const char* problem = problem_of_component(component)) return fail(bad_key(key, problem));
    if (last) {
      path.name = std::string(component);
      return path;
    }
    path.folders.emplace_back(component);
    begin = slash + 1;
  }
}

int open_folder_stepwise(int root, const std::string& relative) {
  int current = retry_interrupted([&] { return ::openat(root, ".", kFolderFlags); });
  size_t begin = 0;
  while (current >= 0 && begin < relative.size()) {
    const size_t end = std::min(relative.find('/', begin), relative.size());
    const std::string component = relative.substr(begin, end - begin);
    const UniqueFd parent(current);
    current = retry_interrupted(
        [&] { return ::openat(parent.get(), component.c_str(), kFolderFlags | O_NOFOLLOW); });
    begin = end + 1;
  }
  return current;
}

int open_folder_beneath(int root, const std::string& relative) {
  if (openat2_missing.load(std::memory_order_relaxed)) return open_folder_stepwise(root, relative);
  open_how how{};
  how.flags = kFolderFlags;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  const char* path = relative.empty() ? "." : relative.c_str();
  const int fd = retry_interrupted(
      [&] { return static_cast<int>(::syscall(SYS_openat2, root, path, &how, sizeof how)); });
  // EAGAIN: something was renamed meanwhile and the kernel could not be sure.
  if (fd == -ENOSYS || fd == -EPERM || fd == -EAGAIN) {
    if (fd == -ENOSYS) openat2_missing.store(true, std::memory_order_relaxed);
    return open_folder_stepwise(root, relative);
  }
  return fd;
}

Status sync_folder(int fd, std::string_view name) {
  // EINVAL: a file system that cannot sync folders (some FUSE) has nothing more to promise.
  if (::fsync(fd) == 0 || errno == EINVAL) return {};
  return fail(errno_error("sync folder " + std::string(name), errno));
}

Status make_root(const std::string& path, std::vector<std::string>* made) {
  std::vector<std::string> missing;
  std::string at = path;
  struct stat info {};
  while (!at.empty() && ::stat(at.c_str(), &info) != 0 && errno == ENOENT) {
    missing.push_back(at);
    while (!at.empty() && at.back() == '/') at.pop_back();
    const size_t slash = at.rfind('/');
    at = slash == std::string::npos ? "" : at.substr(0, slash == 0 ? 1 : slash);
  }
  for (auto it = missing.rbegin(); it != missing.rend(); ++it) {
    if (::mkdir(it->c_str(), 0777) != 0) {
      if (errno == EEXIST) continue;
      return fail(errno_error("make folder " + *it, errno));
    }
    made->push_back(*it);
    const UniqueFd parent(::open((*it + "/..").c_str(), kFolderFlags));
    if (parent.valid()) MR_TRY(sync_folder(parent.get(), *it + "/.."));
  }
  return {};
}

}  // namespace millrace::store
