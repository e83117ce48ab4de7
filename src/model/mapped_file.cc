// Files of a model folder: mapped (weights) or read whole (configuration).
#include "model/mapped_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/unique_fd.h"

namespace millrace::model {
namespace {

// Opens a regular file; `size` receives its length.
Result<UniqueFd> open_regular(const std::filesystem::path& path, size_t* size) {
  // O_NONBLOCK: opening a FIFO that nobody writes to must not hang.
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) return fail(errno_error(path.string(), errno));
  struct stat info = {};
  if (fstat(fd.get(), &info) != 0) return fail(errno_error(path.string(), errno));
  if (!S_ISREG(info.st_mode)) {
    return fail(invalid_argument(path.string() + ": not a regular file"));
  }
  *size = static_cast<size_t>(info.st_size);
  return fd;
}

}  // namespace

Result<MappedFile> MappedFile::open(const std::filesystem::path& path) {
  size_t size = 0;
  MR_ASSIGN(const UniqueFd fd, open_regular(path, &size));
  if (size == 0) return MappedFile(nullptr, 0);
  void* data = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd.get(), 0);
  if (data == MAP_FAILED) return fail(errno_error("map " + path.string(), errno));
  return MappedFile(static_cast<const std::byte*>(data), size);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) munmap(const_cast<std::byte*>(data_), size_);
}

void MappedFile::prefetch() const {
  // Advice only: a failure changes nothing but speed.
  if (data_ != nullptr) madvise(const_cast<std::byte*>(data_), size_, MADV_WILLNEED);
}

void MappedFile::release_pages() const {
  if (data_ != nullptr) madvise(const_cast<std::byte*>(data_), size_, MADV_DONTNEED);
}

Result<std::string> read_text_file(const std::filesystem::path& path, size_t bytes_max) {
  size_t size = 0;
  MR_ASSIGN(const UniqueFd fd, open_regular(path, &size));
  if (size > bytes_max) {
    return fail(invalid_argument(
        fmt::format("{}: {} bytes; at most {} are read", path.string(), size, bytes_max)));
  }
  std::string text(size, '\0');
  size_t done = 0;
  while (done < size) {
    const ssize_t got = read(fd.get(), text.data() + done, size - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(errno_error("read " + path.string(), errno));
    if (got == 0) break;  // it became shorter meanwhile: what is left tells
    done += static_cast<size_t>(got);
  }
  text.resize(done);
  return text;
}

}  // namespace millrace::model
