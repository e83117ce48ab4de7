#include "store/s3_upload.h"

#include <algorithm>
#include <future>
#include <utility>
#include <vector>

#include "base/background.h"
#include "base/check.h"
#include "base/digest.h"
#include "base/limits.h"
#include "store/s3_reply.h"

namespace millrace::store {
namespace {

std::string without_quotes(std::string_view etag) {
  if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"') {
    etag = etag.substr(1, etag.size() - 2);
  }
  return std::string(etag);
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool is_md5(std::string_view text) {
  return text.size() == 32 &&
         std::all_of(text.begin(), text.end(), [](char c) { return hex_digit(c) >= 0; });
}

// The ETag that S3 gives to an object of these parts: the MD5 of their MD5s. "" where the parts'
// ETags are no MD5s (encryption with customer keys).
std::string composite_etag(const std::vector<S3Part>& parts) {
  std::string digests;
  for (const S3Part& part : parts) {
    const std::string etag = without_quotes(part.etag);
    if (!is_md5(etag)) return "";
    for (size_t i = 0; i < etag.size(); i += 2) {
      digests += static_cast<char>(hex_digit(etag[i]) * 16 + hex_digit(etag[i + 1]));
    }
  }
  return hex(md5(digests)) + "-" + std::to_string(parts.size());
}

// A multipart upload that has begun. Aborted when destroyed, unless it was completed.
class Upload {
 public:
  Upload(std::shared_ptr<S3Client> client, std::string key, WriteOptions options)
      : client_(std::move(client)), key_(std::move(key)), options_(std::move(options)) {}
  ~Upload() { abort(); }
  Upload(const Upload&) = delete;
  Upload& operator=(const Upload&) = delete;

  Status begin();
  Result<S3Part> send_part(uint32_t number, std::string_view bytes, const CancelToken& cancel);
  Status complete(const std::vector<S3Part>& parts, uint64_t size);
  // True where the upload is known to be gone.
  bool abort();

 private:
  Status create();
  Status ended();
  Status find_out(const S3Failure& failure, const std::vector<S3Part>& parts, uint64_t size);

  const std::shared_ptr<S3Client> client_;
  const std::string key_;
  const WriteOptions options_;
  std::string id_;           // "": none, or gone
  bool journalled_ = false;  // an intent that has not ended
  bool strays_ = false;      // uploads of ours whose ids we never learnt may be left
};

// What became of an object after the answer to its commit was lost.
enum class Fate { kOurs, kNotOurs, kUnknown };

Fate fate_of(S3Client& client, std::string_view key, const std::string& etag, uint64_t size) {
  const S3Result head = client.clean_up(head_request(key));
  if (!head) return head.error().status == 404 ? Fate::kNotOurs : Fate::kUnknown;
  if (head->http.header("content-length") != std::to_string(size)) return Fate::kNotOurs;
  const std::string found = without_quotes(head->http.header("etag"));
  if (!etag.empty() && found == etag) return Fate::kOurs;
  // With customer keys, and on servers that make their own, an ETag says nothing about the content.
  const bool opaque = etag.empty() || !is_md5(found.substr(0, found.find('-'))) ||
                      !head->http.header("x-amz-server-side-encryption").empty();
  return opaque ? Fate::kUnknown : Fate::kNotOurs;
}

Status Upload::begin() {
  if (options_.journal != nullptr) {
    MR_TRY(options_.journal->upload_intent(key_));
    journalled_ = true;
  }
  MR_TRY(create());
  if (options_.journal != nullptr) MR_TRY(options_.journal->upload_started(key_, id_));
  return {};
}

Status Upload::create() {
  const WallTime begun = client_->clock().now();
  const S3Result reply = client_->send(create_upload_request(key_, options_), client_->cancel());
  Result<std::string> id =
      reply ? parse_upload_id(reply->http.body) : Result<std::string>(fail(Error(reply.error())));
  if (id) id_ = *id;
  strays_ = reply ? reply->repeated || !id : reply.error().maybe_done;
  if (strays_) {
    // An answer was lost: what was begun by it has no owner.
    const auto age = std::chrono::ceil<std::chrono::seconds>(client_->clock().now() - begun);
    const UploadFilter ours{age + std::chrono::seconds(2), id_};
    if (abort_s3_uploads(*client_, key_, ours)) strays_ = false;
  }
  if (!id) {
    if (!strays_) MR_TRY(ended());
    return fail(std::move(id).error());
  }
  return {};
}

Result<S3Part> Upload::send_part(uint32_t number, std::string_view bytes,
                                 const CancelToken& cancel) {
  const S3Result reply = client_->send(upload_part_request(key_, id_, number, bytes), cancel);
  if (!reply) return fail(Error(reply.error()));
  S3Part part{number, reply->http.header("etag")};
  if (part.etag.empty()) {
    return fail(internal_error("upload part " + std::to_string(number) + " of " +
                               client_->describe(key_) + ": the reply has no ETag"));
  }
  return part;
}

Status Upload::complete(const std::vector<S3Part>& parts, uint64_t size) {
  const std::string body = complete_body(parts);
  S3Request request = complete_request(key_, id_, options_, body);
  S3Result reply = client_->send(request, client_->cancel());
  if (!reply && reply.error().status == 501 && !options_.overwrite) {
    // The server does not know If-None-Match; that the name is free was asked before.
    WriteOptions plain = options_;
    plain.overwrite = true;
    reply = client_->send(complete_request(key_, id_, plain, body), client_->cancel());
  }
  if (!reply) return find_out(reply.error(), parts, size);
  id_.clear();
  return ended();
}

// A Complete that failed may have been carried out: by an attempt whose answer was lost (a later
// one then hears that there is no such upload).
Status Upload::find_out(const S3Failure& failure, const std::vector<S3Part>& parts, uint64_t size) {
  const bool doubtful =
      failure.maybe_done || failure.status == 412 || failure.s3_code == "NoSuchUpload";
  const std::string etag = composite_etag(parts);
  if (doubtful && fate_of(*client_, key_, etag, size) == Fate::kOurs) {
    id_.clear();
    return ended();
  }
  const bool aborted = abort();
  if (!doubtful) return fail(Error(failure));
  // It may have been carried out while we asked.
  const Fate fate = fate_of(*client_, key_, etag, size);
  if (fate == Fate::kOurs) return ended();
  if (fate == Fate::kNotOurs && aborted) return fail(Error(failure));
  Error unknown = failure;
  unknown.message += "; whether the object was written is not known";
  return fail(std::move(unknown));
}

bool Upload::abort() {
  if (id_.empty()) return true;
  if (!abort_s3_upload(*client_, key_, id_)) return false;  // the journal keeps it for the next run
  id_.clear();
  (void)ended();
  return true;
}

Status Upload::ended() {
  if (strays_ || !std::exchange(journalled_, false)) return {};
  return options_.journal->upload_ended(key_);
}

class S3Writer final : public ObjectWriter {
 public:
  S3Writer(std::shared_ptr<S3Client> client, std::string_view key, const WriteOptions& options,
           uint64_t part_bytes)
      : client_(std::move(client)),
        key_(key),
        options_(options),
        fixed_part_bytes_(part_bytes),
        cancel_(client_->cancel().child()) {}

  ~S3Writer() override { stop_sending(); }

  Status append(std::string_view bytes) override {
    MR_CHECK(!committed_);
    MR_TRY(state_);
    size_ += bytes.size();
    while (!bytes.empty()) {
      const size_t room = static_cast<size_t>(part_bytes()) - filling_.size();
      const std::string_view taken = bytes.substr(0, room);
      filling_ += taken;
      bytes.remove_prefix(taken.size());
      // Full and more to come: what just fits one PUT stays one.
      if (!bytes.empty()) MR_TRY(keep(send_filled()));
    }
    return {};
  }

  Status commit() override {
    MR_CHECK(!committed_);
    MR_TRY(state_);
    MR_TRY(keep(check_name_is_free()));
    MR_TRY(keep(upload_ == nullptr ? put_whole() : complete()));
    committed_ = true;
    return {};
  }

  std::optional<ObjectInfo> committed() const override {
    if (!committed_ || etag_.empty()) return std::nullopt;
    ObjectInfo object;
    object.key = key_;
    object.size = size_;
    object.etag = etag_;
    return object;
  }

 private:
  // An error is final: later calls answer it too, and the upload is aborted at once.
  Status keep(Status status) {
    if (status) return status;
    state_ = status;
    stop_sending();
    if (upload_ != nullptr) (void)upload_->abort();
    return status;
  }
  void stop_sending() {
    cancel_.cancel();
    if (sending_.valid()) sending_.wait();
  }
  uint64_t part_bytes() const {
    return fixed_part_bytes_ != 0 ? fixed_part_bytes_
                                  : upload_part_bytes(next_part_, options_.expected_size);
  }
  Status send_filled();
  Status wait_for_part();
  Status check_name_is_free();
  Status put_whole();
  Status complete();

  const std::shared_ptr<S3Client> client_;
  const std::string key_;
  const WriteOptions options_;
  const uint64_t fixed_part_bytes_;
  const CancelToken cancel_;
  std::string filling_;
  std::string in_flight_;
  uint64_t size_ = 0;
  uint32_t next_part_ = 1;
  std::vector<S3Part> parts_;
  std::unique_ptr<Upload> upload_;  // begun with the second part
  std::future<Result<S3Part>> sending_;
  Status state_;
  bool committed_ = false;
  std::string etag_;  // of an object that was put whole
};

Status S3Writer::wait_for_part() {
  if (!sending_.valid()) return {};
  auto part = sending_.get();
  if (!part) return fail(std::move(part).error());
  parts_.push_back(*std::move(part));
  return {};
}

// Hands what is filled to the background, once that has finished the part before.
Status S3Writer::send_filled() {
  MR_TRY(wait_for_part());
  if (next_part_ > limits::kUploadPartsMax) {
    return fail(bad_input("write " + client_->describe(key_) + ": more than " +
                          std::to_string(limits::kUploadPartsMax) + " upload parts"));
  }
  if (upload_ == nullptr) {
    auto upload = std::make_unique<Upload>(client_, key_, options_);
    MR_TRY(upload->begin());
    upload_ = std::move(upload);
  }
  std::swap(filling_, in_flight_);
  filling_.clear();
  sending_ = in_background(
      [this, number = next_part_] { return upload_->send_part(number, in_flight_, cancel_); });
  ++next_part_;
  return {};
}

// Asked even though the commit carries If-None-Match: some servers ignore that.
Status S3Writer::check_name_is_free() {
  if (options_.overwrite) return {};
  const S3Result head = client_->send(head_request(key_), client_->cancel());
  if (head) {
    return fail(already_exists("write " + client_->describe(key_) + ": it exists already"));
  }
  if (head.error().status == 404) return {};
  return fail(Error(head.error()));
}

Status S3Writer::put_whole() {
  S3Result reply = client_->send(put_request(key_, options_, filling_), client_->cancel());
  if (!reply && reply.error().status == 501 && !options_.overwrite) {
    WriteOptions plain = options_;
    plain.overwrite = true;
    reply = client_->send(put_request(key_, plain, filling_), client_->cancel());
  }
  if (reply) {
    etag_ = reply->http.header("etag");
    return {};
  }
  // Also after a 412 to the first attempt: on a kept connection that broke, curl sends again
  // unasked, and the second request meets what the first has put.
  const S3Failure& failure = reply.error();
  if (!failure.maybe_done && failure.status != 412) return fail(Error(failure));
  const Fate fate = fate_of(*client_, key_, hex(md5(filling_)), filling_.size());
  if (fate == Fate::kOurs) return {};
  if (fate == Fate::kNotOurs || !failure.maybe_done) return fail(Error(failure));
  return fail(
      Error{failure.code, failure.message + "; whether the object was written is not known"});
}

Status S3Writer::complete() {
  if (!filling_.empty()) MR_TRY(send_filled());
  MR_TRY(wait_for_part());
  return upload_->complete(parts_, size_);
}

}  // namespace

std::unique_ptr<ObjectWriter> write_s3_object(std::shared_ptr<S3Client> client,
                                              std::string_view key, const WriteOptions& options,
                                              uint64_t part_bytes) {
  return std::make_unique<S3Writer>(std::move(client), key, options, part_bytes);
}

Status abort_s3_upload(S3Client& client, std::string_view key, std::string_view upload_id) {
  const S3Result reply = client.clean_up(abort_request(key, upload_id));
  if (reply || reply.error().status == 404) return {};
  return fail(Error(reply.error()));
}

Status abort_s3_uploads(S3Client& client, std::string_view key, const UploadFilter& filter) {
  std::string next_key, next_id;
  while (true) {
    const S3Result reply = client.clean_up(list_uploads_request(key, next_key, next_id));
    if (!reply) return fail(Error(reply.error()));
    const WallTime now = parse_http_date(reply->http.header("date")).value_or(client.clock().now());
    MR_ASSIGN(const S3UploadListing listing, parse_upload_listing(reply->http.body));
    for (const S3UploadEntry& upload : listing.uploads) {
      const bool recent = upload.initiated && *upload.initiated >= now - filter.age;
      if (upload.key != key || upload.id == filter.keep) continue;
      if (filter.age.count() == 0 || recent) MR_TRY(abort_s3_upload(client, key, upload.id));
    }
    const bool onward = listing.next_key != next_key || listing.next_id != next_id;
    if (!listing.truncated || !onward) return {};
    next_key = listing.next_key;
    next_id = listing.next_id;
  }
}

}  // namespace millrace::store
