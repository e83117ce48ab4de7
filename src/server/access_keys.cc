#include "server/access_keys.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/limits.h"
#include "base/unique_fd.h"
#include "server/file_version.h"
#include "store/aws_files.h"

namespace millrace::server {
namespace {

Status check_permissions(const struct stat& info, const std::string& what) {
  if (!S_ISREG(info.st_mode)) return fail(invalid_argument(what + ": not a file"));
  if (info.st_uid != 0 && info.st_uid != ::geteuid()) {
    return fail(invalid_argument(what + ": belongs to another user"));
  }
  if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return fail(invalid_argument(what + ": others may read it; run chmod 600"));
  }
  return {};
}

Result<std::string> read_all(int fd, const std::string& what) {
  std::string text;
  for (;;) {
    char block[4096];
    const ssize_t got = ::read(fd, block, sizeof block);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(errno_error(what, errno));
    if (got == 0) return text;
    text.append(block, static_cast<size_t>(got));
    if (text.size() > limits::kAccessKeysBytesMax) {
      return fail(invalid_argument(what + ": far too large for a file of access keys"));
    }
  }
}

}  // namespace

Result<AccessKeys> parse_access_keys(std::string_view text) {
  store::AwsFiles files;
  store::read_aws_credentials(text, &files);
  AccessKeys keys;
  for (const auto& [section, properties] : files.profiles) {
    const auto id = properties.find("aws_access_key_id");
    const auto secret = properties.find("aws_secret_access_key");
    const bool has_id = id != properties.end() && !id->second.empty();
    const bool has_secret = secret != properties.end() && !secret->second.empty();
    if (!has_id || !has_secret) {
      return fail(invalid_argument("[" + section + "]: no " +
                                   (has_id ? "aws_secret_access_key" : "aws_access_key_id")));
    }
    const auto [at, added] = keys.emplace(id->second, secret->second);
    if (!added && at->second != secret->second) {
      return fail(invalid_argument("[" + section + "]: its access key has another secret above"));
    }
  }
  if (keys.empty()) {
    return fail(
        invalid_argument("no access keys: a section has the form [NAME], aws_access_key_id = ..., "
                         "aws_secret_access_key = ..."));
  }
  return keys;
}

Result<AccessKeys> read_access_keys(const std::filesystem::path& file) {
  const std::string what = "access keys in " + file.string();
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) return fail(invalid_argument(errno_error(what, errno).message));
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return fail(errno_error(what, errno));
  MR_TRY(check_permissions(info, what));
  MR_ASSIGN(const std::string text, read_all(fd.get(), what));
  auto keys = parse_access_keys(text);
  if (!keys) return fail(std::move(keys).error().within(what));
  return keys;
}

Result<std::unique_ptr<AccessKeyFile>> AccessKeyFile::open(std::filesystem::path file) {
  std::unique_ptr<AccessKeyFile> out(new AccessKeyFile(std::move(file)));
  MR_TRY(out->refresh());
  return out;
}

std::shared_ptr<const AccessKeys> AccessKeyFile::current() const {
  const std::lock_guard lock(mutex_);
  return keys_;
}

// The version is taken first: what is written while we read is seen the next time. A file that is
// missing is missed at every look.
Result<bool> AccessKeyFile::refresh() {
  std::string now = file_version(file_);
  if (!now.empty() && now == seen_) return false;
  auto read = read_access_keys(file_);
  seen_ = std::move(now);
  if (!read) return fail(std::move(read).error());
  auto keys = std::make_shared<const AccessKeys>(std::move(*read));
  const std::lock_guard lock(mutex_);
  const bool other = keys_ == nullptr || *keys_ != *keys;
  keys_ = std::move(keys);
  return other;
}

}  // namespace millrace::server
