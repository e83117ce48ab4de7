#include "store/file_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/unique_fd.h"
#include "store/file_list.h"

namespace millrace::store {
namespace {

Error changed(const std::string& path) {
  return bad_input("read " + path + ": it changed since it was listed");
}

class FileReader final : public ObjectReader {
 public:
  FileReader(std::string path, UniqueFd fd, std::string etag, uint64_t offset, uint64_t length)
      : path_(std::move(path)),
        fd_(std::move(fd)),
        etag_(std::move(etag)),
        at_(offset),
        end_(offset + length) {}

  Result<size_t> read(std::span<char> buffer) override {
    const size_t wanted = static_cast<size_t>(std::min<uint64_t>(buffer.size(), end_ - at_));
    if (wanted == 0) return size_t{0};
    ssize_t got = -1;
    do {
      got = ::pread(fd_.get(), buffer.data(), wanted, static_cast<off_t>(at_));
    } while (got < 0 && errno == EINTR);
    if (got < 0) return fail(errno_error("read " + path_, errno));
    if (got == 0) {
      return fail(bad_input("read " + path_ + ": it ends at byte " + std::to_string(at_) +
                            ", before byte " + std::to_string(end_) +
                            ": it changed since it was listed"));
    }
    at_ += static_cast<uint64_t>(got);
    if (at_ == end_) MR_TRY(check_unchanged());
    return static_cast<size_t>(got);
  }

 private:
  // A file that was rewritten in place while we read it may have given us a mix of both.
  Status check_unchanged() const {
    struct stat info {};
    if (::fstat(fd_.get(), &info) != 0) return fail(errno_error("read " + path_, errno));
    if (describe_file("", info).etag != etag_) return fail(changed(path_));
    return {};
  }

  const std::string path_;
  const UniqueFd fd_;
  const std::string etag_;
  uint64_t at_;
  const uint64_t end_;
};

}  // namespace

Result<std::unique_ptr<ObjectReader>> open_file(const std::string& path, const ObjectInfo& object,
                                                uint64_t offset, uint64_t length) {
  struct stat info {};
  // Looked at before it is opened: opening a device can have effects.
  if (::stat(path.c_str(), &info) != 0) return fail(errno_error("read " + path, errno));
  ObjectInfo found = describe_file("", info);
  if (!found.problem.empty()) return fail(bad_input("read " + path + ": " + found.problem));
  // O_NONBLOCK: should a FIFO have taken the file's place meanwhile, nobody waits for its writer.
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!fd.valid()) return fail(errno_error("read " + path, errno));
  if (::fstat(fd.get(), &info) != 0) return fail(errno_error("read " + path, errno));
  found = describe_file("", info);
  if (!found.problem.empty()) return fail(bad_input("read " + path + ": " + found.problem));
  if (!object.etag.empty() && found.etag != object.etag) return fail(changed(path));
  if (offset > found.size || length > found.size - offset) {
    return fail(bad_input("read " + path + ": bytes " + std::to_string(offset) + " to " +
                          std::to_string(offset + length) + " of a file of " +
                          std::to_string(found.size)));
  }
  return std::make_unique<FileReader>(path, std::move(fd), std::move(found.etag), offset, length);
}

}  // namespace millrace::store
