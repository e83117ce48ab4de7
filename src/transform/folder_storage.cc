// A work area on a local file system: flock for the lock, rename for everything that must be there
// whole or not at all.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <fstream>
#include <system_error>
#include <utility>

#include "base/unique_fd.h"
#include "transform/file_io.h"
#include "transform/work_storage.h"

namespace millrace::transform {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kTemporarySuffix = ".tmp";

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

class FolderLog final : public JournalLog {
 public:
  FolderLog(fs::path file, UniqueFd fd, uint64_t size)
      : file_(std::move(file)), fd_(std::move(fd)), size_(size) {}

  Status append(std::string_view line) override {
    if (Status status = write_all(fd_.get(), line); !status) {
      // A full disk may empty again: half a line must not stand before the next one.
      broken_ = ::ftruncate(fd_.get(), static_cast<off_t>(size_)) != 0;
      return fail(std::move(status).error().within("write journal " + file_.string()));
    }
    size_ += line.size();
    return {};
  }

  Status sync() override {
    if (::fdatasync(fd_.get()) == 0) return {};
    return fail(errno_error("sync journal " + file_.string(), errno));
  }

  bool broken() const override { return broken_; }

 private:
  const fs::path file_;
  const UniqueFd fd_;
  uint64_t size_;
  bool broken_ = false;
};

// A file on its way into the folder.
class FolderWriter final : public store::ObjectWriter {
 public:
  FolderWriter(fs::path file, UniqueFd fd) : file_(std::move(file)), fd_(std::move(fd)) {}
  ~FolderWriter() override {
    if (!committed_) ::unlink(temporary(file_).c_str());
  }

  static std::string temporary(const fs::path& file) {
    return file.string().append(kTemporarySuffix);
  }

  Status append(std::string_view bytes) override {
    if (Status status = write_all(fd_.get(), bytes); !status) {
      return fail(std::move(status).error().within("stage part " + file_.string()));
    }
    return {};
  }

  // The bytes are on the disk before the name is: a power cut leaves no staged part that is short.
  Status commit() override {
    if (::fdatasync(fd_.get()) != 0 || std::rename(temporary(file_).c_str(), file_.c_str()) != 0) {
      return fail(errno_error("stage part " + file_.string(), errno));
    }
    committed_ = true;
    return {};
  }

 private:
  const fs::path file_;
  const UniqueFd fd_;
  bool committed_ = false;
};

class FolderReader final : public store::ObjectReader {
 public:
  FolderReader(fs::path file, UniqueFd fd) : file_(std::move(file)), fd_(std::move(fd)) {}

  Result<size_t> read(std::span<char> buffer) override {
    for (;;) {
      const ssize_t got = ::read(fd_.get(), buffer.data(), buffer.size());
      if (got >= 0) return static_cast<size_t>(got);
      if (errno != EINTR) return fail(errno_error("read staged part " + file_.string(), errno));
    }
  }

 private:
  const fs::path file_;
  const UniqueFd fd_;
};

class FolderStorage final : public WorkStorage {
 public:
  explicit FolderStorage(fs::path folder) : folder_(std::move(folder)) {}

  std::string describe() const override { return folder_.string(); }

  Status lock() override {
    MR_ASSIGN(lock_, lock_folder(folder_));
    return {};
  }

  Result<std::optional<std::string>> read(const std::string& name, size_t bytes_max) override {
    const fs::path file = folder_ / name;
    std::error_code code;
    if (!fs::exists(file, code) && !code) return std::nullopt;
    std::ifstream in(file, std::ios::binary);
    std::string bytes(bytes_max, '\0');
    in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    if (code || in.bad() || !in.is_open()) return fail(errno_error("read " + file.string(), errno));
    bytes.resize(static_cast<size_t>(in.gcount()));
    return bytes;
  }

  Status replace(const std::string& name, std::string_view bytes) override {
    return replace_file(folder_ / name, bytes);
  }

  Result<bool> has_journal() override {
    std::error_code code;
    return fs::exists(journal(), code);
  }

  Status read_journal(const std::function<void(std::string_view line)>& visit) override {
    std::ifstream in(journal(), std::ios::binary);
    std::string line;
    while (std::getline(in, line) && !in.eof()) visit(line);  // eof: no line end, so torn
    if (in.bad()) return fail(errno_error("read journal " + journal().string(), errno));
    return {};
  }

  Result<std::unique_ptr<JournalLog>> start_journal(std::string_view text) override {
    MR_TRY(replace_file(journal(), text));
    UniqueFd fd(::open(journal().c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
    if (!fd.valid()) return fail(errno_error("open journal " + journal().string(), errno));
    return std::make_unique<FolderLog>(journal(), std::move(fd), text.size());
  }

  Status open_parts(bool drop) override {
    const fs::path parts = folder_ / "parts";
    std::error_code code;
    if (drop) fs::remove_all(parts, code);
    if (code) return fail(file_error("remove " + parts.string(), code));
    fs::create_directories(parts, code);
    if (code) return fail(file_error("make " + parts.string(), code));
    auto entry = fs::directory_iterator(parts, code);
    for (; !code && entry != fs::directory_iterator(); entry.increment(code)) {
      if (entry->path().extension() == kTemporarySuffix) fs::remove(entry->path(), code);
    }
    if (code) return fail(file_error("tidy " + parts.string(), code));
    return {};
  }

  Result<std::unique_ptr<store::ObjectWriter>> create(const std::string& name) override {
    const fs::path file = folder_ / name;
    UniqueFd fd(::open(FolderWriter::temporary(file).c_str(),
                       O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!fd.valid()) return fail(errno_error("stage part " + file.string(), errno));
    return std::make_unique<FolderWriter>(file, std::move(fd));
  }

  std::optional<uint64_t> size(const std::string& name) override {
    std::error_code code;
    const auto size = fs::file_size(folder_ / name, code);
    if (code) return std::nullopt;
    return size;
  }

  Result<std::unique_ptr<store::ObjectReader>> open(const std::string& name,
                                                    uint64_t from) override {
    const fs::path file = folder_ / name;
    UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd.valid() || ::lseek(fd.get(), static_cast<off_t>(from), SEEK_SET) < 0) {
      return fail(errno_error("read staged part " + file.string(), errno));
    }
    return std::make_unique<FolderReader>(file, std::move(fd));
  }

  void remove(const std::string& name) override { ::unlink((folder_ / name).c_str()); }

  // A folder with anything else in it stays.
  Status remove_all() override {
    std::error_code code;
    fs::remove_all(folder_ / "parts", code);
    for (const char* name : {"journal", "plan", "lock"}) {
      if (!code) fs::remove(folder_ / name, code);
    }
    if (code) return fail(file_error("remove work area " + folder_.string(), code));
    fs::remove(folder_, code);
    return {};
  }

 private:
  fs::path journal() const { return folder_ / "journal"; }

  const fs::path folder_;
  UniqueFd lock_;
};

}  // namespace

std::unique_ptr<WorkStorage> make_folder_storage(const fs::path& folder) {
  return std::make_unique<FolderStorage>(folder);
}

}  // namespace millrace::transform
