// The file store: keys are paths below a root folder. A root that is a file is a store of one
// object, whose key is the file's name.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/unique_fd.h"
#include "store/file_list.h"
#include "store/file_path.h"
#include "store/file_reader.h"
#include "store/file_stamp.h"
#include "store/file_writer.h"
#include "store/object_store.h"

namespace millrace::store {
namespace {

class FileStore final : public ObjectStore {
 public:
  explicit FileStore(std::string root) : root_(std::move(root)) {
    while (root_.size() > 1 && root_.back() == '/') root_.pop_back();
    struct stat info {};
    if (::stat(root_.c_str(), &info) == 0 && !S_ISDIR(info.st_mode)) {
      only_key_ = root_.substr(root_.rfind('/') + 1);
    }
  }

  Status list(std::string_view prefix,
              const std::function<Status(const ObjectInfo&)>& visit) override {
    if (only_key_.empty()) return list_files(root_, prefix, visit);
    if (only_key_.compare(0, prefix.size(), prefix) != 0) return {};
    MR_ASSIGN(const ObjectInfo object, look_at(only_key_));
    return visit(object);
  }

  Result<ObjectInfo> stat(std::string_view key) override {
    MR_TRY(parse_key(key));
    MR_ASSIGN(ObjectInfo object, look_at(key));
    if (object.problem == "a folder") {
      return fail(not_found(describe(key) + ": a folder, not a file"));
    }
    object.metadata = read_stamp(describe(key));
    return object;
  }

  Result<std::unique_ptr<ObjectReader>> open(const ObjectInfo& object, uint64_t offset,
                                             uint64_t length) override {
    if (!object.problem.empty()) {
      return fail(bad_input("read " + describe(object.key) + ": " + object.problem));
    }
    MR_TRY(parse_key(object.key));
    return open_file(describe(object.key), object, offset, length);
  }

  Result<std::unique_ptr<ObjectWriter>> create(std::string_view key,
                                               const WriteOptions& options) override {
    MR_ASSIGN(auto writer, create_file(root_, key, options));
    if (options.metadata.empty()) return writer;
    return stamp_when_committed(std::move(writer), describe(key), options.metadata);
  }

  Status abort_upload(std::string_view key, std::string_view upload_id) override {
    return remove_hidden_files(root_, key, upload_id);
  }

  Status remove(std::string_view key) override {
    MR_ASSIGN(const KeyPath path, parse_key(key));
    const UniqueFd root(::open(root_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const int fd =
        root.valid() ? open_folder_beneath(root.get(), path.folder(path.folders.size())) : -errno;
    if (fd == -ENOENT) return {};
    if (fd < 0) return fail(errno_error("remove " + describe(key), -fd));
    const UniqueFd folder(fd);
    ::unlinkat(folder.get(), stamp_path(path.name).c_str(), 0);
    if (::unlinkat(folder.get(), path.name.c_str(), 0) == 0 || errno == ENOENT) return {};
    return fail(errno_error("remove " + describe(key), errno));
  }

  std::string describe(std::string_view key) const override {
    if (!only_key_.empty() && key == only_key_) return root_;
    return root_ == "/" ? root_ + std::string(key) : root_ + "/" + std::string(key);
  }

 private:
  Result<ObjectInfo> look_at(std::string_view key) const {
    struct stat info {};
    const std::string path = describe(key);
    if (::stat(path.c_str(), &info) != 0) return fail(errno_error("read " + path, errno));
    return describe_file(std::string(key), info);
  }

  std::string root_;
  std::string only_key_;  // "": the root is a folder (or will be one)
};

}  // namespace

std::unique_ptr<ObjectStore> make_file_store(const std::string& root) {
  return std::make_unique<FileStore>(root);
}

}  // namespace millrace::store
