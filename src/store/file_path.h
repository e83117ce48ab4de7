// Keys as paths below a root folder, and how that root is never left: a key is cut into components
// that are checked one by one, and folders are opened with openat2(RESOLVE_BENEATH |
// RESOLVE_NO_SYMLINKS), or component by component with O_NOFOLLOW where the kernel has no openat2
// or a sandbox forbids it. Both refuse the same paths.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace millrace::store {

struct KeyPath {
  std::vector<std::string> folders;
  std::string name;

  // The first `count` folders joined with '/': "" for none.
  std::string folder(size_t count) const;
};

// bad_input naming the key: empty, absolute, an empty, "." or ".." component, a component over 255
// bytes, a NUL byte.
Result<KeyPath> parse_key(std::string_view key);

// Opens the folder `relative` ("" for root itself) below the folder `root`. Negative: -errno.
int open_folder_beneath(int root, const std::string& relative);

// The second way, for kernels without openat2; exposed so that tests compare the two.
int open_folder_stepwise(int root, const std::string& relative);

// mkdir -p; appends what it made to `made`, outermost first, and syncs the folder of each.
Status make_root(const std::string& path, std::vector<std::string>* made);

Status sync_folder(int fd, std::string_view name);

}  // namespace millrace::store
