#include "store/file_list.h"

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "store/file_path.h"

namespace millrace::store {
namespace {

struct CloseDir {
  void operator()(DIR* dir) const { ::closedir(dir); }
};

// A name in a folder; folders carry a trailing '/', so that sorting names sorts keys.
struct Name {
  std::string text;
  std::string problem;

  bool is_folder() const { return text.back() == '/'; }
};

std::string problem_of_errno(int error_number) {
  if (error_number == ELOOP) return "a symbolic link that leads to itself";
  if (error_number == ENOENT) return "a symbolic link to nothing";
  return errno_error("cannot be read", error_number).message;
}

bool starts_with(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

class Walk {
 public:
  Walk(const std::string& root, std::string_view prefix, const Visit& visit)
      : root_(root), prefix_(prefix), visit_(visit) {}

  // Opens the folders above and at the prefix's last '/', then walks from there.
  Status run();

 private:
  using Identity = std::pair<dev_t, ino_t>;

  std::string path_of(std::string_view key) const { return root_ + "/" + std::string(key); }
  bool wanted(std::string_view key, bool is_folder) const {
    return starts_with(key, prefix_) || (is_folder && starts_with(prefix_, key));
  }
  bool above(const struct stat& info) const {
    return std::find(above_.begin(), above_.end(), Identity{info.st_dev, info.st_ino}) !=
           above_.end();
  }
  Result<std::vector<Name>> names_in(const std::string& folder_key) const;
  void classify(const std::string& folder_key, const dirent& entry, Name* name) const;
  Status walk(const std::string& folder_key);
  Status visit_file(const std::string& key);
  Status visit_folder(const std::string& key);
  Status report(std::string key, std::string problem) const {
    ObjectInfo object;
    object.key = std::move(key);
    object.problem = std::move(problem);
    return visit_(object);
  }

  const std::string& root_;
  const std::string_view prefix_;
  const Visit& visit_;
  std::vector<Identity> above_;  // the folders we are in, outermost first
};

Status Walk::run() {
  struct stat info {};
  if (::stat(root_.c_str(), &info) != 0) return fail(errno_error("list " + root_, errno));
  above_.emplace_back(info.st_dev, info.st_ino);
  size_t begin = 0;
  for (size_t slash; (slash = prefix_.find('/', begin)) != prefix_.npos; begin = slash + 1) {
    const std::string_view component = prefix_.substr(begin, slash - begin);
    // No key below a root has such components.
    if (component.empty() || component == "." || component == "..") return {};
    if (::stat(path_of(prefix_.substr(0, slash)).c_str(), &info) != 0) {
      if (errno == ENOENT || errno == ENOTDIR || errno == ENAMETOOLONG) return {};
      return report(std::string(prefix_.substr(0, slash + 1)), problem_of_errno(errno));
    }
    if (!S_ISDIR(info.st_mode)) return {};
    above_.emplace_back(info.st_dev, info.st_ino);
  }
  return walk(std::string(prefix_.substr(0, begin)));
}

// Decides whether the entry is a folder (a link to one included).
void Walk::classify(const std::string& folder_key, const dirent& entry, Name* name) const {
  if (entry.d_type == DT_DIR) {
    name->text += '/';
    return;
  }
  if (entry.d_type != DT_LNK && entry.d_type != DT_UNKNOWN) return;
  struct stat info {};
  if (::stat(path_of(folder_key + name->text).c_str(), &info) != 0) {
    name->problem = problem_of_errno(errno);
  } else if (S_ISDIR(info.st_mode)) {
    name->text += '/';
  }
}

Result<std::vector<Name>> Walk::names_in(const std::string& folder_key) const {
  const std::string path = path_of(folder_key);
  const std::unique_ptr<DIR, CloseDir> dir(::opendir(path.c_str()));
  if (dir == nullptr) return fail(errno_error("list " + path, errno));
  std::vector<Name> names;
  while (true) {
    errno = 0;
    const dirent* entry = ::readdir(dir.get());
    if (entry == nullptr) {
      if (errno != 0) return fail(errno_error("list " + path, errno));
      break;
    }
    Name name{entry->d_name, ""};
    if (name.text == "." || name.text == ".." || starts_with(name.text, kHiddenPrefix)) continue;
    classify(folder_key, *entry, &name);
    if (wanted(folder_key + name.text, name.is_folder())) names.push_back(std::move(name));
  }
  std::sort(names.begin(), names.end(),
            [](const Name& a, const Name& b) { return a.text < b.text; });
  return names;
}

Status Walk::walk(const std::string& folder_key) {
  auto names = names_in(folder_key);
  if (!names) {
    if (folder_key.empty()) return fail(std::move(names).error());
    return report(folder_key, names.error().message);
  }
  for (const Name& name : *names) {
    const std::string key = folder_key + name.text;
    if (!name.problem.empty()) {
      MR_TRY(report(key, name.problem));
    } else if (name.is_folder()) {
      MR_TRY(visit_folder(key));
    } else {
      MR_TRY(visit_file(key));
    }
  }
  return {};
}

Status Walk::visit_file(const std::string& key) {
  struct stat info {};
  if (::stat(path_of(key).c_str(), &info) != 0) {
    if (errno == ENOENT) return {};  // gone since the folder was read
    return report(key, problem_of_errno(errno));
  }
  return visit_(describe_file(key, info));
}

Status Walk::visit_folder(const std::string& key) {
  struct stat info {};
  if (::stat(path_of(key).c_str(), &info) != 0) {
    if (errno == ENOENT) return {};
    return report(key, problem_of_errno(errno));
  }
  if (above(info)) return report(key, "a symbolic link that leads back to a folder above it");
  if (above_.size() >= limits::kFolderDepthMax) {
    return report(key, "more than " + std::to_string(limits::kFolderDepthMax) + " folders deep");
  }
  above_.emplace_back(info.st_dev, info.st_ino);
  const Status status = walk(key);
  above_.pop_back();
  return status;
}

}  // namespace

ObjectInfo describe_file(std::string key, const struct stat& info) {
  ObjectInfo object;
  object.key = std::move(key);
  if (S_ISDIR(info.st_mode)) {
    object.problem = "a folder";
  } else if (S_ISFIFO(info.st_mode)) {
    object.problem = "a FIFO (named pipe), not a file";
  } else if (S_ISSOCK(info.st_mode)) {
    object.problem = "a socket, not a file";
  } else if (!S_ISREG(info.st_mode)) {
    object.problem = "a device, not a file";
  }
  if (!object.problem.empty()) return object;
  object.size = static_cast<uint64_t>(info.st_size);
  object.etag = std::to_string(info.st_dev) + "-" + std::to_string(info.st_ino) + "-" +
                std::to_string(info.st_size) + "-" + std::to_string(info.st_mtim.tv_sec) + "." +
                std::to_string(info.st_mtim.tv_nsec);
  return object;
}

Status list_files(const std::string& root, std::string_view prefix, const Visit& visit) {
  return Walk(root, prefix, visit).run();
}

}  // namespace millrace::store
