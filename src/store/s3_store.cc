#include "store/s3_store.h"

#include <charconv>
#include <utility>

#include "base/uri.h"
#include "base/utf8.h"
#include "store/s3_reader.h"
#include "store/s3_reply.h"
#include "store/s3_request.h"
#include "store/s3_upload.h"

namespace millrace::store {
namespace {

class S3Store final : public ObjectStore {
 public:
  explicit S3Store(S3StoreConfig config)
      : config_(std::move(config)), client_(std::make_shared<S3Client>(config_.client)) {}

  Status list(std::string_view prefix,
              const std::function<Status(const ObjectInfo&)>& visit) override;
  Result<ObjectInfo> stat(std::string_view key) override;
  Result<std::unique_ptr<ObjectReader>> open(const ObjectInfo& object, uint64_t offset,
                                             uint64_t length) override;
  Result<std::unique_ptr<ObjectWriter>> create(std::string_view key,
                                               const WriteOptions& options) override;
  Status abort_upload(std::string_view key, std::string_view upload_id) override;
  Status remove(std::string_view key) override;
  std::string describe(std::string_view key) const override { return client_->describe(key); }

 private:
  const S3StoreConfig config_;
  const std::shared_ptr<S3Client> client_;
};

Status S3Store::list(std::string_view prefix,
                     const std::function<Status(const ObjectInfo&)>& visit) {
  std::string continuation, last_key;
  do {
    const S3Result reply = client_->send(list_request(prefix, continuation), client_->cancel());
    if (!reply) return fail(Error(reply.error()));
    auto listing = parse_listing(reply->http.body);
    if (!listing) return fail(std::move(listing).error().within("list " + describe(prefix)));
    for (ObjectInfo& object : listing->objects) {
      // Also what ends a listing that goes round in circles.
      if (object.key <= last_key) {
        return fail(internal_error("list " + describe(prefix) +
                                   ": the server lists keys out of order: '" + object.key +
                                   "' after '" + last_key + "'"));
      }
      MR_TRY(visit(object));
      last_key = std::move(object.key);
    }
    if (!listing->continuation.empty() && listing->continuation == continuation) {
      return fail(internal_error("list " + describe(prefix) + ": the server repeats a page"));
    }
    continuation = std::move(listing->continuation);
  } while (!continuation.empty());
  return {};
}

Result<ObjectInfo> S3Store::stat(std::string_view key) {
  if (key.empty()) return fail(not_found("look at " + describe(key) + ": no key"));
  const S3Result reply = client_->send(head_request(key), client_->cancel());
  if (!reply) return fail(Error(reply.error()));
  ObjectInfo object;
  object.key = std::string(key);
  object.etag = reply->http.header("etag");
  constexpr std::string_view kMetadata = "x-amz-meta-";
  for (const auto& [name, value] : reply->http.headers) {
    if (name.starts_with(kMetadata)) object.metadata[name.substr(kMetadata.size())] = value;
  }
  const std::string size = reply->http.header("content-length");
  const auto [end, error] = std::from_chars(size.data(), size.data() + size.size(), object.size);
  if (error != std::errc() || end != size.data() + size.size()) {
    return fail(internal_error("look at " + describe(key) + ": the reply has no Content-Length"));
  }
  return object;
}

Result<std::unique_ptr<ObjectReader>> S3Store::open(const ObjectInfo& object, uint64_t offset,
                                                    uint64_t length) {
  if (!object.problem.empty()) {
    return fail(bad_input("get " + describe(object.key) + ": " + object.problem));
  }
  if (offset > object.size || length > object.size - offset) {
    return fail(bad_input("get " + describe(object.key) + ": bytes " + std::to_string(offset) +
                          " to " + std::to_string(offset + length) + " of an object of " +
                          std::to_string(object.size)));
  }
  return read_s3_object(client_, object, offset, length, config_.read_block_bytes);
}

Result<std::unique_ptr<ObjectWriter>> S3Store::create(std::string_view key,
                                                      const WriteOptions& options) {
  const char* problem = nullptr;
  if (key.empty()) problem = "it is empty";
  if (key.size() > limits::kS3KeyBytesMax) problem = "it is longer than 1,024 bytes";
  if (!is_utf8(key)) problem = "it is not UTF-8";
  if (key.find('\0') != key.npos) problem = "it holds a NUL byte";
  if (problem != nullptr) {
    return fail(bad_input("key '" +
                          percent_encode(key.substr(0, limits::kErrorExcerptBytesMax), true) +
                          "' cannot be an S3 object: " + problem));
  }
  return write_s3_object(client_, key, options, config_.part_bytes);
}

Status S3Store::abort_upload(std::string_view key, std::string_view upload_id) {
  if (!upload_id.empty()) return abort_s3_upload(*client_, key, upload_id);
  return abort_s3_uploads(*client_, key, {});
}

Status S3Store::remove(std::string_view key) {
  if (key.empty()) return fail(invalid_argument("remove " + describe(key) + ": no key"));
  const S3Result reply = client_->send(delete_request(key), client_->cancel());
  if (reply || reply.error().status == 404) return {};
  return fail(Error(reply.error()));
}

}  // namespace

std::unique_ptr<ObjectStore> make_s3_store(S3StoreConfig config) {
  return std::make_unique<S3Store>(std::move(config));
}

Result<std::unique_ptr<ObjectStore>> make_s3_store(const std::string& bucket,
                                                   const S3Options& options) {
  MR_ASSIGN(S3StoreConfig config, find_s3_config(bucket, options, process_env()));
  return make_s3_store(std::move(config));
}

}  // namespace millrace::store
