// The access keys that callers may sign with, from a file in the form of ~/.aws/credentials:
//
//   [nightly]
//   aws_access_key_id = ...
//   aws_secret_access_key = ...
//
// Several sections are several keys. A changed file counts from the next look at it, so that a key
// is replaced by adding the new one, moving the clients, and removing the old one.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/result.h"

namespace millrace::server {

// Access key -> secret key.
using AccessKeys = std::map<std::string, std::string, std::less<>>;

// invalid_argument says which section lacks what (never a secret); also for no key at all, or one
// access key with two secrets.
Result<AccessKeys> parse_access_keys(std::string_view text);
// Also refuses a file that anybody but its owner may read, or whose owner is neither this user nor
// root.
Result<AccessKeys> read_access_keys(const std::filesystem::path& file);

// The keys in force, for all threads.
class AccessKeyFile {
 public:
  // As read_access_keys.
  static Result<std::unique_ptr<AccessKeyFile>> open(std::filesystem::path file);

  std::shared_ptr<const AccessKeys> current() const;
  // Reads the file again if it was changed; true: other keys are in force now. After an error those
  // that were in force stay. Waits for the disk; one thread at a time.
  Result<bool> refresh();

 private:
  explicit AccessKeyFile(std::filesystem::path file) : file_(std::move(file)) {}

  const std::filesystem::path file_;
  std::string seen_;  // the version that was read last; "": none yet
  mutable std::mutex mutex_;
  std::shared_ptr<const AccessKeys> keys_;
};

}  // namespace millrace::server
