#include "jobs/model_artifact.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <system_error>
#include <vector>

#include "base/limits.h"
#include "base/xxh3.h"

namespace millrace::jobs {
namespace {

namespace fs = std::filesystem;

// Feeds libarchive from an object, wherever it lies.
struct ArchiveSource {
  std::unique_ptr<store::ObjectReader> reader;
  std::vector<char> block = std::vector<char>(limits::kReadBlockBytes);
  std::string error;  // the store's, which says more than libarchive's

  static la_ssize_t read(archive* handle, void* self, const void** buffer) {
    auto* source = static_cast<ArchiveSource*>(self);
    const Result<size_t> got = source->reader->read(source->block);
    if (!got) {
      source->error = got.error().message;
      archive_set_error(handle, EIO, "%s", source->error.c_str());
      return -1;
    }
    *buffer = source->block.data();
    return static_cast<la_ssize_t>(*got);
  }
};

struct FreeReader {
  void operator()(archive* a) const { archive_read_free(a); }
};
struct FreeWriter {
  void operator()(archive* a) const { archive_write_free(a); }
};
using ReadHandle = std::unique_ptr<archive, FreeReader>;
using WriteHandle = std::unique_ptr<archive, FreeWriter>;

// What an artefact may hold: files and folders below its own root.
Status check_entry(archive_entry* entry) {
  const char* raw = archive_entry_pathname(entry);
  if (raw == nullptr) return fail(invalid_argument("an entry has no readable name"));
  const std::string name = raw;
  const auto type = archive_entry_filetype(entry);
  if (archive_entry_hardlink(entry) != nullptr || (type != AE_IFREG && type != AE_IFDIR)) {
    return fail(invalid_argument(
        fmt::format("entry '{}' is a link or device; only files and folders are allowed", name)));
  }
  const fs::path path(name);
  bool leaves = path.is_absolute();
  for (const fs::path& part : path) leaves = leaves || part == "..";
  if (leaves) {
    return fail(invalid_argument(fmt::format("entry '{}' would leave the model's folder", name)));
  }
  return {};
}

Status copy_data(archive* from, archive* to, uint64_t* total) {
  const void* block = nullptr;
  size_t size = 0;
  la_int64_t offset = 0;
  for (;;) {
    const int code = archive_read_data_block(from, &block, &size, &offset);
    if (code == ARCHIVE_EOF) return {};
    if (code != ARCHIVE_OK) return fail(invalid_argument(archive_error_string(from)));
    *total += size;
    if (*total > limits::kModelBytesMax) {
      return fail(invalid_argument(
          fmt::format("it unpacks to more than {} bytes", limits::kModelBytesMax)));
    }
    if (archive_write_data_block(to, block, size, offset) != ARCHIVE_OK) {
      return fail(internal_error(archive_error_string(to)));
    }
  }
}

Status extract_entry(archive* from, archive* to, archive_entry* entry, const fs::path& folder,
                     uint64_t* total) {
  MR_TRY(check_entry(entry));
  const fs::path target = folder / archive_entry_pathname(entry);
  archive_entry_set_pathname(entry, target.c_str());
  archive_entry_set_perm(entry, archive_entry_filetype(entry) == AE_IFDIR ? 0755 : 0644);
  if (archive_write_header(to, entry) != ARCHIVE_OK) {
    return fail(internal_error(archive_error_string(to)));
  }
  if (archive_entry_filetype(entry) == AE_IFREG) MR_TRY(copy_data(from, to, total));
  if (archive_write_finish_entry(to) != ARCHIVE_OK) {
    return fail(internal_error(archive_error_string(to)));
  }
  return {};
}

Status extract_all(ArchiveSource* source, const fs::path& folder) {
  const ReadHandle from(archive_read_new());
  const WriteHandle to(archive_write_disk_new());
  archive_read_support_format_tar(from.get());
  archive_read_support_filter_gzip(from.get());
  archive_write_disk_set_options(to.get(),
                                 ARCHIVE_EXTRACT_SECURE_SYMLINKS | ARCHIVE_EXTRACT_SECURE_NODOTDOT);
  if (archive_read_open(from.get(), source, nullptr, ArchiveSource::read, nullptr) != ARCHIVE_OK) {
    return fail(invalid_argument(archive_error_string(from.get())));
  }
  uint64_t total = 0;
  for (size_t entries = 0;; ++entries) {
    archive_entry* entry = nullptr;
    const int code = archive_read_next_header(from.get(), &entry);
    if (code == ARCHIVE_EOF) return {};
    if (code != ARCHIVE_OK) return fail(invalid_argument(archive_error_string(from.get())));
    if (entries >= limits::kModelEntriesMax) {
      return fail(
          invalid_argument(fmt::format("it holds more than {} entries", limits::kModelEntriesMax)));
    }
    MR_TRY(extract_entry(from.get(), to.get(), entry, folder, &total));
  }
}

// A folder that is removed with everything in it unless it was kept.
class TemporaryFolder {
 public:
  explicit TemporaryFolder(fs::path path) : path_(std::move(path)) {}
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  const fs::path& path() const { return path_; }
  void kept() { path_.clear(); }

 private:
  fs::path path_;
};

Status unpack(store::ObjectStore& store, const store::ObjectInfo& object, const fs::path& target) {
  ArchiveSource source;
  MR_ASSIGN(source.reader, store.open(object, 0, object.size));
  TemporaryFolder folder(fmt::format("{}.unpacking-{}", target.string(), ::getpid()));
  std::error_code error;
  fs::remove_all(folder.path(), error);
  fs::create_directories(folder.path(), error);
  if (error) return fail(internal_error(folder.path().string() + ": " + error.message()));
  MR_TRY(extract_all(&source, folder.path()));
  fs::rename(folder.path(), target, error);
  // Another process may have unpacked the same content first: then its folder is as good.
  if (error && !fs::is_directory(target)) {
    return fail(internal_error(target.string() + ": " + error.message()));
  }
  if (!error) folder.kept();
  return {};
}

Result<fs::path> unpacked(const std::string& model, const ArtifactOptions& options) {
  MR_ASSIGN(store::Location location, store::parse_location(model));
  if (location.kind == store::Location::Kind::kFile) {
    location.path = fs::absolute(location.path).lexically_normal().string();
  }
  store::Location root = location;
  std::string key = location.path;
  if (location.kind == store::Location::Kind::kFile) {
    root.path = fs::path(location.path).parent_path().string();
    key = fs::path(location.path).filename().string();
  }
  MR_ASSIGN(const auto store, options.make_store(root));
  MR_ASSIGN(const store::ObjectInfo object, store->stat(key));
  const std::string content = Xxh3()
                                  .field(store->describe(key))
                                  .field(object.etag)
                                  .field(std::to_string(object.size))
                                  .hex();
  const fs::path target = options.cache_folder / content;
  if (!fs::is_directory(target)) MR_TRY(unpack(*store, object, target));
  return target;
}

bool names_archive(const std::string& model) {
  return model.ends_with(".tar.gz") || model.ends_with(".tgz");
}

}  // namespace

Result<ModelArtifact> find_model(const std::string& model, const ArtifactOptions& options) {
  const std::string name = model.empty() ? kDefaultModel : model;
  if (names_archive(name)) {
    auto folder = unpacked(name, options);
    if (!folder) return fail(invalid_argument("model " + name + ": " + folder.error().message));
    return ModelArtifact{std::move(*folder), name};
  }
  if (name.starts_with("s3://")) {
    return fail(invalid_argument("model " + name + ": an S3 model must be a .tar.gz archive"));
  }
  std::error_code ignored;
  if (fs::is_directory(name, ignored)) return ModelArtifact{fs::path(name), name};
  std::string looked;
  if (name.find('/') == std::string::npos) {
    for (const fs::path& shipped : options.shipped_model_folders) {
      if (fs::is_directory(shipped / name, ignored)) return ModelArtifact{shipped / name, name};
      looked += " " + (shipped / name).string();
    }
  }
  return fail(invalid_argument(fmt::format(
      "model {}: no such folder or model.tar.gz{}{}", name,
      looked.empty() ? "" : ", and no shipped model of that name; looked for", looked)));
}

bool is_model_artifact(std::string_view key) {
  const std::string_view name = key.substr(key.rfind('/') + 1);  // npos + 1 == 0
  return name == "model.tar.gz" || name == "model.tgz" || name == "pytorch_model.bin" ||
         name == "tf_model.h5" || name.ends_with(".safetensors");
}

}  // namespace millrace::jobs
