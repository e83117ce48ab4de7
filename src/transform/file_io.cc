// POSIX calls with their errors told, and the line format of the work area's files.
#include "transform/file_io.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "base/unique_fd.h"
#include "base/uri.h"

namespace millrace::transform {
namespace {

Status write_and_sync(int fd, std::string_view bytes) {
  MR_TRY(write_all(fd, bytes));
  if (::fsync(fd) != 0) return fail(errno_error("sync", errno));
  return {};
}

}  // namespace

Status write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail(errno_error("write", errno));
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return {};
}

Status sync_folder(const std::filesystem::path& folder) {
  const UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid() || ::fsync(fd.get()) != 0) {
    return fail(errno_error("sync folder " + folder.string(), errno));
  }
  return {};
}

Status replace_file(const std::filesystem::path& file, std::string_view bytes) {
  const std::string temporary = file.string() + ".tmp";
  const UniqueFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd.valid()) return fail(errno_error("create " + temporary, errno));
  Status status = write_and_sync(fd.get(), bytes);
  if (status && std::rename(temporary.c_str(), file.c_str()) != 0) {
    status = fail(errno_error("rename", errno));
  }
  if (!status) {
    ::unlink(temporary.c_str());
    return fail(std::move(status).error().within("write " + file.string()));
  }
  return sync_folder(file.parent_path());
}

std::string format_line(const std::vector<std::string>& fields) {
  std::string line;
  for (const std::string& field : fields) {
    if (&field != &fields.front()) line += '\t';
    line += percent_encode(field, /*keep_slash=*/true);
  }
  return line + '\n';
}

std::vector<std::string> parse_line(std::string_view line) {
  std::vector<std::string> fields;
  for (size_t start = 0; start <= line.size();) {
    const size_t end = std::min(line.find('\t', start), line.size());
    Result<std::string> field = percent_decode(line.substr(start, end - start));
    if (!field) return {};
    fields.push_back(std::move(*field));
    start = end + 1;
  }
  return fields;
}

}  // namespace millrace::transform
