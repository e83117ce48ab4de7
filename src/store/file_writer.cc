#include "store/file_writer.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/digest.h"
#include "base/limits.h"
#include "base/unique_fd.h"
#include "store/file_list.h"
#include "store/file_path.h"

namespace millrace::store {
namespace {

// How often a step starts over because a neighbour that gave up removed a folder under it: each
// time costs a few calls, and a neighbour gives up only once.
constexpr int kFolderAttempts = 64;

// Runs `step` again while it fails for a folder that is gone.
template <class Step>
Status despite_neighbours(Step step) {
  for (int attempt = 1;; ++attempt) {
    Status status = step();
    if (status || status.error().code != Code::kNotFound || attempt == kFolderAttempts) {
      return status;
    }
  }
}

std::string hidden_prefix(std::string_view key) {
  return std::string(kHiddenPrefix) + sha256_hex(key).substr(0, 16) + "-";
}

std::string hidden_name(std::string_view key) {
  uint64_t random[2] = {};
  MR_CHECK(::getrandom(random, sizeof random, 0) == static_cast<ssize_t>(sizeof random));
  const std::string_view bytes(reinterpret_cast<const char*>(random), sizeof random);
  return hidden_prefix(key) + hex(bytes) + ".tmp";
}

class FileWriter final : public ObjectWriter {
 public:
  FileWriter(std::string root, std::string_view key, KeyPath path, const WriteOptions& options)
      : root_(std::move(root)), key_(key), path_(std::move(path)), options_(options) {}
  ~FileWriter() override;

  Status open(FileKind kind);
  Status append(std::string_view bytes) override;
  Status commit() override;

 private:
  std::string shown() const { return "write " + root_ + "/" + key_; }
  Error error_of(int error_number) const;
  Status broken(Error error);

  Result<UniqueFd> open_root();
  Status open_deepest_folder(int root, UniqueFd* folder, size_t* depth);
  Status open_hidden(UniqueFd folder, size_t depth);
  Status flush();
  Status open_once(FileKind kind);
  Status place_once();
  Result<UniqueFd> make_folders(int root);
  Result<int> name_it(int folder);
  Result<int> replace_unnamed(int folder);
  int link_unnamed(int folder, const char* name) const;
  int rename_hidden(int folder);
  Status hide(size_t depth);
  Status unhide();
  void undo_folders();

  const std::string root_;
  const std::string key_;
  const KeyPath path_;
  const WriteOptions options_;

  UniqueFd file_;
  std::string buffer_;
  UniqueFd hidden_folder_;   // where the hidden name stands, if there is one
  std::string hidden_name_;  // "": the file is unnamed
  bool journalled_ = false;
  std::vector<std::string> made_roots_;
  std::vector<std::string> made_folders_;  // below the root
  bool committed_ = false;
  Status state_;  // the first error; every later call answers it
};

Error FileWriter::error_of(int error_number) const {
  switch (error_number) {
    case EEXIST:
      return already_exists(shown() + ": it exists already");
    case EISDIR:
      return bad_input(shown() + ": there is a folder of that name");
    case ENOTDIR:
    case ELOOP:
      return bad_input(shown() + ": a part of the path is a file or a symbolic link, no folder");
    case ENAMETOOLONG:
    case EINVAL:
    case EILSEQ:
      return bad_input(errno_error(shown(), error_number).message);
    default:
      return errno_error(shown(), error_number);
  }
}

Status FileWriter::broken(Error error) {
  state_ = fail(std::move(error));
  return state_;
}

Result<UniqueFd> FileWriter::open_root() {
  MR_TRY(make_root(root_, &made_roots_));
  UniqueFd root(::open(root_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root.valid()) {
    if (errno == ENOTDIR) {
      return fail(bad_input(shown() + ": " + root_ + " is a file, not a folder"));
    }
    return fail(errno_error(shown() + ": open folder " + root_, errno));
  }
  return root;
}

// The unnamed file must lie on the file system of its later folder, which may not exist yet: the
// deepest folder that does is on the same one.
Status FileWriter::open_deepest_folder(int root, UniqueFd* folder, size_t* depth) {
  for (*depth = path_.folders.size();; --*depth) {
    const int fd = open_folder_beneath(root, path_.folder(*depth));
    if (fd >= 0) {
      folder->reset(fd);
      return {};
    }
    if (fd != -ENOENT || *depth == 0) return fail(error_of(-fd));
  }
}

Status FileWriter::open(FileKind kind) {
  return despite_neighbours([&] { return open_once(kind); });
}

Status FileWriter::open_once(FileKind kind) {
  MR_ASSIGN(const UniqueFd root, open_root());
  UniqueFd folder;
  size_t depth = 0;
  MR_TRY(open_deepest_folder(root.get(), &folder, &depth));
  struct stat info {};
  if (depth == path_.folders.size() &&
      ::fstatat(folder.get(), path_.name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 &&
      S_ISDIR(info.st_mode)) {
    return fail(error_of(EISDIR));
  }
  // Naming an unnamed file goes through /proc.
  if (kind == FileKind::kUnnamed && ::access("/proc/self/fd", X_OK) == 0) {
    file_.reset(::openat(folder.get(), ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666));
    if (file_.valid()) return {};
  }
  // Whatever stood in the way: if it was not the lack of O_TMPFILE, it stands in this way too.
  return open_hidden(std::move(folder), depth);
}

// Chooses a hidden name in the folder `depth` levels down and journals it.
Status FileWriter::hide(size_t depth) {
  hidden_name_ = hidden_name(key_);
  if (options_.journal == nullptr) return {};
  const std::string folder = path_.folder(depth);
  MR_TRY(options_.journal->upload_intent(key_));
  journalled_ = true;
  return options_.journal->upload_started(
      key_, folder.empty() ? hidden_name_ : folder + "/" + hidden_name_);
}

// The hidden name is gone: says so in the journal.
Status FileWriter::unhide() {
  hidden_name_.clear();
  if (!std::exchange(journalled_, false)) return {};
  return options_.journal->upload_ended(key_);
}

Status FileWriter::open_hidden(UniqueFd folder, size_t depth) {
  MR_TRY(hide(depth));
  hidden_folder_ = std::move(folder);
  file_.reset(::openat(hidden_folder_.get(), hidden_name_.c_str(),
                       O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0666));
  if (file_.valid()) return {};
  Error error = error_of(errno);
  MR_TRY(unhide());
  return fail(std::move(error));
}

Status FileWriter::append(std::string_view bytes) {
  MR_CHECK(!committed_);
  MR_TRY(state_);
  buffer_ += bytes;
  if (buffer_.size() < limits::kFileWriteBlockBytes) return {};
  return flush();
}

Status FileWriter::flush() {
  std::string_view rest = buffer_;
  while (!rest.empty()) {
    const ssize_t written = ::write(file_.get(), rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return broken(error_of(errno));
    rest.remove_prefix(static_cast<size_t>(written));
  }
  buffer_.clear();
  return {};
}

Status FileWriter::commit() {
  MR_CHECK(!committed_);
  MR_TRY(state_);
  MR_TRY(flush());
  // The content first, then its name: a name that survives a power cut has its content.
  if (::fsync(file_.get()) != 0) return broken(error_of(errno));
  if (Status placed = despite_neighbours([&] { return place_once(); }); !placed) {
    return broken(std::move(placed).error());
  }
  committed_ = true;
  return {};
}

Status FileWriter::place_once() {
  MR_ASSIGN(const UniqueFd root, open_root());
  MR_ASSIGN(const UniqueFd folder, make_folders(root.get()));
  MR_ASSIGN(const int error_number, name_it(folder.get()));
  if (error_number != 0) return fail(error_of(error_number));
  Status synced = sync_folder(folder.get(), root_ + "/" + path_.folder(path_.folders.size()));
  if (!synced) ::unlinkat(folder.get(), path_.name.c_str(), 0);  // not durable: not there
  return synced;
}

Result<UniqueFd> FileWriter::make_folders(int root) {
  UniqueFd folder(open_folder_beneath(root, ""));
  for (size_t depth = 0; depth < path_.folders.size() && folder.valid(); ++depth) {
    const std::string relative = path_.folder(depth + 1);
    if (::mkdirat(folder.get(), path_.folders[depth].c_str(), 0777) == 0) {
      made_folders_.push_back(relative);
      MR_TRY(sync_folder(folder.get(), root_ + "/" + path_.folder(depth)));
    } else if (errno != EEXIST) {
      return fail(error_of(errno));
    }
    const int fd = open_folder_beneath(root, relative);
    if (fd < 0) return fail(error_of(-fd));
    folder.reset(fd);
  }
  if (!folder.valid()) return fail(error_of(ENOENT));
  return folder;
}

// Gives the file its name in `folder`. 0 or errno; an Error where the journal failed.
Result<int> FileWriter::name_it(int folder) {
  if (!hidden_name_.empty()) {
    const int error_number = rename_hidden(folder);
    if (error_number == 0) MR_TRY(unhide());
    return error_number;
  }
  const int error_number = link_unnamed(folder, path_.name.c_str());
  if (error_number == EEXIST && options_.overwrite) return replace_unnamed(folder);
  return error_number;
}

int FileWriter::link_unnamed(int folder, const char* name) const {
  const std::string self = "/proc/self/fd/" + std::to_string(file_.get());
  return ::linkat(AT_FDCWD, self.c_str(), folder, name, AT_SYMLINK_FOLLOW) == 0 ? 0 : errno;
}

// No call links an unnamed file over an existing name: a hidden name, then a rename.
Result<int> FileWriter::replace_unnamed(int folder) {
  hidden_folder_.reset(::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  MR_TRY(hide(path_.folders.size()));
  int error_number = link_unnamed(folder, hidden_name_.c_str());
  if (error_number == 0 &&
      ::renameat(folder, hidden_name_.c_str(), folder, path_.name.c_str()) != 0) {
    error_number = errno;
    ::unlinkat(folder, hidden_name_.c_str(), 0);
  }
  MR_TRY(unhide());
  return error_number;
}

int FileWriter::rename_hidden(int folder) {
  const char* const from = hidden_name_.c_str();
  const char* const to = path_.name.c_str();
  const int from_folder = hidden_folder_.get();
  if (options_.overwrite) return ::renameat(from_folder, from, folder, to) == 0 ? 0 : errno;
  if (::renameat2(from_folder, from, folder, to, RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return errno;
  // The file system cannot rename so; a hard link does not replace either.
  if (::linkat(from_folder, from, folder, to, 0) == 0) {
    ::unlinkat(from_folder, from, 0);
    return 0;
  }
  if (errno != EPERM && errno != EOPNOTSUPP && errno != EMLINK) return errno;
  // Nor links (FAT): looking first is all that is left.
  struct stat info {};
  if (::fstatat(folder, to, &info, AT_SYMLINK_NOFOLLOW) == 0) return EEXIST;
  return ::renameat(from_folder, from, folder, to) == 0 ? 0 : errno;
}

void FileWriter::undo_folders() {
  const UniqueFd root(::open(root_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (auto it = made_folders_.rbegin(); root.valid() && it != made_folders_.rend(); ++it) {
    ::unlinkat(root.get(), it->c_str(), AT_REMOVEDIR);  // fails where it is in use: right
  }
  for (auto it = made_roots_.rbegin(); it != made_roots_.rend(); ++it) ::rmdir(it->c_str());
}

FileWriter::~FileWriter() {
  if (committed_) return;
  if (!hidden_name_.empty() && hidden_folder_.valid()) {
    const int gone = ::unlinkat(hidden_folder_.get(), hidden_name_.c_str(), 0);
    // Left in the journal if it could not be removed: the next run tries again.
    if (gone == 0 || errno == ENOENT) (void)unhide();
  }
  file_.reset();
  undo_folders();
}

// Removes from one folder what begins with `prefix`.
Status remove_prefixed(int root, const std::string& folder, const std::string& prefix) {
  const int fd = open_folder_beneath(root, folder);
  if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP) return {};
  if (fd < 0) return fail(errno_error("open folder " + folder, -fd));
  DIR* const dir = ::fdopendir(fd);
  if (dir == nullptr) {
    ::close(fd);
    return fail(errno_error("read folder " + folder, errno));
  }
  while (const dirent* entry = ::readdir(dir)) {
    const std::string name = entry->d_name;
    if (name.compare(0, prefix.size(), prefix) == 0) ::unlinkat(fd, name.c_str(), 0);
  }
  ::closedir(dir);
  return {};
}

}  // namespace

Result<std::unique_ptr<ObjectWriter>> create_file(const std::string& root, std::string_view key,
                                                  const WriteOptions& options, FileKind kind) {
  MR_ASSIGN(KeyPath path, parse_key(key));
  auto writer = std::make_unique<FileWriter>(root, key, std::move(path), options);
  MR_TRY(writer->open(kind));
  return writer;
}

Status remove_hidden_files(const std::string& root, std::string_view key, std::string_view id) {
  MR_ASSIGN(const KeyPath path, parse_key(key));
  const UniqueFd folder(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.valid()) {
    if (errno == ENOENT || errno == ENOTDIR) return {};
    return fail(errno_error("open folder " + root, errno));
  }
  std::string prefix = hidden_prefix(key);
  if (!id.empty()) {
    const size_t slash = id.rfind('/');
    const std::string name(id.substr(slash == id.npos ? 0 : slash + 1));
    // A journal may be damaged or foreign: only ever remove what such a writer may have made.
    if (name.compare(0, prefix.size(), prefix) != 0) {
      return fail(
          bad_input("'" + std::string(id) + "' is no unfinished file of " + std::string(key)));
    }
    prefix = name;
  }
  for (size_t depth = 0; depth <= path.folders.size(); ++depth) {
    MR_TRY(remove_prefixed(folder.get(), path.folder(depth), prefix));
  }
  return {};
}

}  // namespace millrace::store
