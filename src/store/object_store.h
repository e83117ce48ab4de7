// Where objects live. Two kinds: a folder of files, and an S3 bucket. Names are keys: byte strings
// with '/' by convention only. A reader streams a byte range; a writer is all or nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/cancel.h"
#include "base/result.h"

namespace millrace::store {

struct ObjectInfo {
  std::string key;
  uint64_t size = 0;
  // Changes when the content does: S3's ETag; for files device, inode, size and mtime.
  std::string etag;
  // Not empty: this entry was found but cannot be read, and why (a FIFO, a symlink loop, ...).
  std::string problem;
  // What its writer was given as WriteOptions::metadata. Only stat() fills it in; empty: none, or
  // (files) the file was written to since.
  std::map<std::string, std::string> metadata = {};
};

// A byte range being read. Not thread-safe.
class ObjectReader {
 public:
  virtual ~ObjectReader() = default;
  // Up to buffer.size() bytes, 0 at the end of the range. A read that ends early (connection lost
  // after retries, file truncated) or an object that changed since it was listed is an error.
  virtual Result<size_t> read(std::span<char> buffer) = 0;
};

// Told before an upload can leave anything behind, so that a later run can clean up.
// `intent` is journalled before the store is asked for an upload; `started` when its id is known;
// an upload is `ended` when it was committed or aborted.
class UploadJournal {
 public:
  virtual ~UploadJournal() = default;
  virtual Status upload_intent(std::string_view key) = 0;
  virtual Status upload_started(std::string_view key, std::string_view upload_id) = 0;
  virtual Status upload_ended(std::string_view key) = 0;
};

struct WriteOptions {
  std::string content_type;
  bool overwrite = true;  // false: commit fails with already_exists
  std::map<std::string, std::string> metadata;
  // S3 only: the KMS key under which the object is encrypted at rest (id, ARN or alias); "": the
  // bucket's own rule.
  std::string kms_key_id;
  uint64_t expected_size = 0;        // 0: unknown; sizes S3's upload parts
  UploadJournal* journal = nullptr;  // outlives the writer
};

// An object being written. Nothing is visible under its key before commit() answers, and nothing is
// left behind when the writer is destroyed without it. Not thread-safe.
class ObjectWriter {
 public:
  virtual ~ObjectWriter() = default;  // aborts unless committed
  virtual Status append(std::string_view bytes) = 0;
  // After success the object is there, whole and durable. After an error it is not (or, where the
  // network hid the answer, the error says that this is not known).
  virtual Status commit() = 0;
  // After commit(): what stat() would tell, where the store's answer told it; else nullopt.
  virtual std::optional<ObjectInfo> committed() const { return std::nullopt; }
};

class ObjectStore {
 public:
  virtual ~ObjectStore() = default;

  // Calls `visit` for every object whose key starts with `prefix`, in bytewise order of the keys.
  // Stops with visit's error. A bucket or root folder that does not exist is not_found.
  virtual Status list(std::string_view prefix,
                      const std::function<Status(const ObjectInfo&)>& visit) = 0;
  virtual Result<ObjectInfo> stat(std::string_view key) = 0;
  // Bytes [offset, offset + length) of the object as it was when `object` was listed.
  virtual Result<std::unique_ptr<ObjectReader>> open(const ObjectInfo& object, uint64_t offset,
                                                     uint64_t length) = 0;
  // A key that this store cannot hold (above its root, a component over 255 bytes, ...) is
  // bad_input.
  virtual Result<std::unique_ptr<ObjectWriter>> create(std::string_view key,
                                                       const WriteOptions& options) = 0;
  // Removes what an upload of `key` left that never ended; `upload_id` is empty where only the
  // intent was journalled. Nothing to remove is success.
  virtual Status abort_upload(std::string_view key, std::string_view upload_id) = 0;
  virtual Status remove(std::string_view key) = 0;
  // "s3://bucket/key" or the path: how messages and X-Amzn-SageMaker-Input-Object name it.
  virtual std::string describe(std::string_view key) const = 0;
};

// `s3://bucket/prefix`, `file:///path` or a path, taken apart.
struct Location {
  enum class Kind { kFile, kS3 } kind = Kind::kFile;
  std::string bucket;  // S3 only
  std::string path;    // key prefix (may be empty), or file path as given
};
Result<Location> parse_location(std::string_view text);

struct S3Options {
  std::string profile;       // "": AWS_PROFILE, then "default"
  std::string region;        // "": AWS_REGION, AWS_DEFAULT_REGION, profile, us-east-1
  std::string endpoint_url;  // "": AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, profile, Amazon's
  CancelToken cancel;
};

// A store whose keys are paths below `root`. Reading follows symbolic links; writing never leaves
// the root (openat2 with RESOLVE_BENEATH) nor goes through links below it. The root is made when
// the first object is created. Where `root` is a file when the store is made, the store holds that
// one object; its key is the file's name (so PATH may be either: list("") gives what is meant).
std::unique_ptr<ObjectStore> make_file_store(const std::string& root);

// A store whose keys are the bucket's. Credentials are looked up here: none found, a profile that
// does not exist, ... is invalid_argument.
Result<std::unique_ptr<ObjectStore>> make_s3_store(const std::string& bucket,
                                                   const S3Options& options);

}  // namespace millrace::store
