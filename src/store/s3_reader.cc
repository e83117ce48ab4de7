#include "store/s3_reader.h"

#include <algorithm>
#include <cstring>
#include <future>
#include <string>
#include <utility>

#include "base/background.h"

namespace millrace::store {
namespace {

// One block's way from the server into `bytes`, over as many attempts as it takes.
class BlockFetch {
 public:
  BlockFetch(S3Client& client, const ObjectInfo& object, uint64_t offset, uint64_t length)
      : client_(client), object_(object), offset_(offset), length_(length) {}

  Result<std::string> run(const CancelToken& cancel) {
    bytes_.reserve(static_cast<size_t>(length_));
    const S3Result result = client_.send([this] { return next_request(); }, cancel);
    if (!result) return fail(told(result.error()));
    MR_TRY(check(result->http));
    return std::move(bytes_);
  }

 private:
  S3Request next_request() {
    asked_from_ = offset_ + bytes_.size();
    // All of it came, but not the end of the reply: ask for the last byte again, not for none.
    if (bytes_.size() == length_) {
      bytes_.pop_back();
      --asked_from_;
    }
    S3Request request =
        get_request(object_.key, asked_from_, length_ - bytes_.size(), object_.etag);
    request.sink = [this](std::string_view bytes) -> Status {
      if (bytes.size() > length_ - bytes_.size()) {
        return fail(internal_error("the server sent more bytes than it was asked for"));
      }
      bytes_ += bytes;
      return {};
    };
    return request;
  }

  Error told(const S3Failure& failure) const {
    if (failure.status == 412) return changed();
    if (failure.status == 416) return changed();
    if (failure.status == 404) {
      return not_found(failure.message + ": it was there when it was listed");
    }
    return failure;
  }

  Error changed() const {
    return bad_input("get " + client_.describe(object_.key) + ": it changed since it was listed");
  }

  Status check(const HttpReply& reply) const {
    const std::string what = "get " + client_.describe(object_.key) + ": ";
    if (bytes_.size() != length_) {
      return fail(unavailable(what + "the server sent " + std::to_string(bytes_.size()) +
                              " of the " + std::to_string(length_) + " bytes asked for"));
    }
    const std::string etag = reply.header("etag");
    if (!object_.etag.empty() && !etag.empty() && etag != object_.etag) return fail(changed());
    const std::string wanted = "bytes " + std::to_string(asked_from_) + "-";
    const std::string range = reply.header("content-range");
    const bool in_place =
        reply.status == 206 ? range.substr(0, wanted.size()) == wanted : asked_from_ == 0;
    if (!in_place) return fail(internal_error(what + "the server does not answer range requests"));
    return {};
  }

  S3Client& client_;
  const ObjectInfo& object_;
  const uint64_t offset_;
  const uint64_t length_;
  uint64_t asked_from_ = 0;
  std::string bytes_;
};

class S3Reader final : public ObjectReader {
 public:
  S3Reader(std::shared_ptr<S3Client> client, const ObjectInfo& object, uint64_t offset,
           uint64_t length, uint64_t block_bytes)
      : client_(std::move(client)),
        object_(object),
        block_bytes_(block_bytes),
        fetched_to_(offset),
        end_(offset + length),
        cancel_(client_->cancel().child()) {}

  ~S3Reader() override {
    cancel_.cancel();
    if (next_.valid()) next_.wait();
  }

  Result<size_t> read(std::span<char> buffer) override {
    if (buffer.empty()) return size_t{0};
    if (at_ == block_.size()) {
      if (!next_.valid() && fetched_to_ == end_) return size_t{0};
      MR_TRY(next_block());
    }
    const size_t count = std::min(buffer.size(), block_.size() - at_);
    std::memcpy(buffer.data(), block_.data() + at_, count);
    at_ += count;
    return count;
  }

 private:
  Status next_block() {
    // The first block is fetched here: most objects have no other.
    auto block = next_.valid() ? next_.get() : fetch(take_range());
    if (!block) return fail(std::move(block).error());
    block_ = *std::move(block);
    at_ = 0;
    if (fetched_to_ < end_) {
      next_ = in_background([this, range = take_range()] { return fetch(range); });
    }
    return {};
  }

  struct Range {
    uint64_t offset, length;
  };
  Range take_range() {
    const Range range{fetched_to_, std::min(block_bytes_, end_ - fetched_to_)};
    fetched_to_ += range.length;
    return range;
  }

  Result<std::string> fetch(Range range) {
    return BlockFetch(*client_, object_, range.offset, range.length).run(cancel_);
  }

  const std::shared_ptr<S3Client> client_;
  const ObjectInfo object_;
  const uint64_t block_bytes_;
  uint64_t fetched_to_;  // or being fetched
  const uint64_t end_;
  const CancelToken cancel_;
  std::string block_;
  size_t at_ = 0;
  std::future<Result<std::string>> next_;
};

}  // namespace

std::unique_ptr<ObjectReader> read_s3_object(std::shared_ptr<S3Client> client,
                                             const ObjectInfo& object, uint64_t offset,
                                             uint64_t length, uint64_t block_bytes) {
  return std::make_unique<S3Reader>(std::move(client), object, offset, length, block_bytes);
}

}  // namespace millrace::store
