#include "jobs/model_artifact.h"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>
#include <locale.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <vector>

#include "base/limits.h"
#include "base/xxh3.h"
#include "jobs/cache_entry.h"
#include "transform/decoding_reader.h"

namespace millrace::jobs {
namespace {

namespace fs = std::filesystem;

// Feeds libarchive what an object's gzip data hold, wherever the object lies. libarchive's own gzip
// reader does not compare checksums.
struct ArchiveSource {
  std::unique_ptr<transform::DecodingReader> reader;
  std::vector<char> block = std::vector<char>(limits::kReadBlockBytes);
  std::string error;  // the reader's, which says more than libarchive's
  std::function<void(uint64_t)> moved = [](uint64_t) {};  // bytes of the object until now

  static la_ssize_t read(archive* handle, void* self, const void** buffer) {
    auto* source = static_cast<ArchiveSource*>(self);
    const Result<size_t> got = source->reader->read(source->block);
    if (!got) {
      source->error = got.error().message;
      archive_set_error(handle, EIO, "%s", source->error.c_str());
      return -1;
    }
    source->moved(source->reader->source_bytes());
    *buffer = source->block.data();
    return static_cast<la_ssize_t>(*got);
  }
};

std::string what(archive* a) {
  const char* error = archive_error_string(a);
  return error != nullptr ? error : "it is damaged";
}

// While it lives, names in archives, which are UTF-8, are so for libarchive in this thread,
// whatever the process's locale: it would refuse those that another locale has no form for.
class Utf8Names {
 public:
  Utf8Names() : locale_(::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr)) {
    if (locale_ != nullptr) before_ = ::uselocale(locale_);
  }
  ~Utf8Names() {
    if (locale_ == nullptr) return;
    ::uselocale(before_);
    ::freelocale(locale_);
  }
  Utf8Names(const Utf8Names&) = delete;
  Utf8Names& operator=(const Utf8Names&) = delete;

 private:
  const locale_t locale_;
  locale_t before_ = nullptr;
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

// Writes an archive's entries below a folder, within the bounds that the options set.
class Extraction {
 public:
  Extraction(const ArtifactOptions& options, const fs::path& folder)
      : options_(options), folder_(folder) {}

  Status run(ArchiveSource* source) {
    archive_read_support_format_tar(from_.get());
    archive_write_disk_set_options(
        to_.get(), ARCHIVE_EXTRACT_SECURE_SYMLINKS | ARCHIVE_EXTRACT_SECURE_NODOTDOT);
    if (archive_read_open(from_.get(), source, nullptr, ArchiveSource::read, nullptr) !=
        ARCHIVE_OK) {
      return fail(invalid_argument(what(from_.get())));
    }
    for (uint64_t entries = 0;; ++entries) {
      archive_entry* entry = nullptr;
      const int code = archive_read_next_header(from_.get(), &entry);
      if (code == ARCHIVE_EOF) return read_to_the_end(source);
      // A warning is about what is not used: owners, times, attributes.
      if (code < ARCHIVE_WARN) return fail(invalid_argument(what(from_.get())));
      if (entries >= options_.entries_max) {
        return fail(
            invalid_argument(fmt::format("it holds more than {} entries", options_.entries_max)));
      }
      MR_TRY(extract(entry));
    }
  }

 private:
  Status extract(archive_entry* entry) {
    MR_TRY(check_entry(entry));
    const std::string name = archive_entry_pathname(entry);
    const fs::path target = folder_ / name;
    // A sparse file costs nothing in the archive, and every reader of it all that it states.
    if (archive_entry_size_is_set(entry) != 0) {
      MR_TRY(check_size(static_cast<uint64_t>(archive_entry_size(entry)), name));
    }
    archive_entry_set_pathname(entry, target.c_str());
    archive_entry_set_perm(entry, archive_entry_filetype(entry) == AE_IFDIR ? 0755 : 0644);
    if (archive_write_header(to_.get(), entry) != ARCHIVE_OK) return disk_error(name);
    if (archive_entry_filetype(entry) == AE_IFREG) MR_TRY(copy_data(name));
    if (archive_write_finish_entry(to_.get()) != ARCHIVE_OK) return disk_error(name);
    return {};
  }

  Status copy_data(const std::string& name) {
    const void* block = nullptr;
    size_t size = 0;
    la_int64_t offset = 0;
    uint64_t end = 0;
    for (;;) {
      if (options_.cancel.cancelled()) return fail(cancelled("cancelled"));
      const int code = archive_read_data_block(from_.get(), &block, &size, &offset);
      if (code == ARCHIVE_EOF) break;
      if (code != ARCHIVE_OK) return fail(invalid_argument(what(from_.get())));
      end = static_cast<uint64_t>(offset) + size;
      MR_TRY(check_size(end, name));
      if (archive_write_data_block(to_.get(), block, size, offset) != ARCHIVE_OK) {
        return disk_error(name);
      }
    }
    total_ += end;
    return {};
  }

  // The checksum of all stands behind the last entry.
  Status read_to_the_end(ArchiveSource* source) {
    for (uint64_t rest = 0;;) {
      if (options_.cancel.cancelled()) return fail(cancelled("cancelled"));
      auto got = source->reader->read(source->block);
      if (!got) return fail(invalid_argument(std::move(got).error().message));
      if (*got == 0) return {};
      MR_TRY(check_size(rest += *got, "the end"));
    }
  }

  Status check_size(uint64_t more, const std::string& name) const {
    if (more <= options_.bytes_max && total_ <= options_.bytes_max - more) return {};
    return fail(invalid_argument(
        fmt::format("it unpacks to more than {} bytes (at entry '{}')", options_.bytes_max, name)));
  }

  Status disk_error(const std::string& name) const {
    return fail(internal_error(fmt::format("entry '{}': {}", name, what(to_.get()))));
  }

  const ArtifactOptions& options_;
  const fs::path& folder_;
  const ReadHandle from_{archive_read_new()};
  const WriteHandle to_{archive_write_disk_new()};
  uint64_t total_ = 0;
};

// Says now and then how far a large archive is; its own size is known, what it unpacks to is not.
class UnpackProgress {
 public:
  UnpackProgress(const ArtifactOptions& options, std::string name, uint64_t size)
      : options_(options), name_(std::move(name)), size_(size) {}

  void moved(uint64_t bytes) {
    done_ = bytes;
    if (size_ < limits::kUnpackNoticeBytesMin || done_ < next_) return;
    options_.notice(fmt::format("unpacking {}: {}% of {} MiB", name_, done_ * 100 / size_,
                                size_ / limits::kMiB));
    next_ = done_ + std::max<uint64_t>(size_ / 10, 1);
  }

 private:
  const ArtifactOptions& options_;
  const std::string name_;
  const uint64_t size_;
  uint64_t done_ = 0;
  uint64_t next_ = 0;
};

Status unpack(store::ObjectStore& store, const store::ObjectInfo& object,
              const ArtifactOptions& options, const fs::path& folder) {
  UnpackProgress progress(options, object.key, object.size);
  ArchiveSource source;
  source.moved = [&](uint64_t bytes) { progress.moved(bytes); };
  MR_ASSIGN(auto reader, store.open(object, 0, object.size));
  record::DataFormat gzip;
  gzip.compression_type = record::CompressionType::kGzip;
  source.reader = std::make_unique<transform::DecodingReader>(std::move(reader), gzip);
  const Utf8Names names;
  return Extraction(options, folder).run(&source);
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
  return cache_entry(options.cache_folder, content, options.cancel, [&](const fs::path& folder) {
    return unpack(*store, object, options, folder);
  });
}

bool names_archive(const std::string& model) {
  return model.ends_with(".tar.gz") || model.ends_with(".tgz");
}

}  // namespace

Result<ModelArtifact> find_model(const std::string& model, const ArtifactOptions& options) {
  const std::string name = model.empty() ? kDefaultModel : model;
  if (names_archive(name)) {
    auto folder = unpacked(name, options);
    if (!folder) return fail(std::move(folder).error().within("model " + name));
    return ModelArtifact{std::move(*folder), name};
  }
  if (name.starts_with("hf://")) {
    MR_ASSIGN(const HubModel hub_model, parse_hub_model(name));
    auto folder = cached_hub_model(hub_model, options.hub);
    if (!folder) folder = pull_hub_model(hub_model, options.hub);
    if (!folder) return fail(std::move(folder).error().within("model " + name));
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
  if (fs::exists(name, ignored)) {
    return fail(invalid_argument(
        fmt::format("model {}: it is neither a folder nor an archive named .tar.gz", name)));
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
