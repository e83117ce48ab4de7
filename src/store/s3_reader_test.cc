// Reading ranges of S3 objects: block by block, over broken connections, and never a mix of
// versions.
#include "store/s3_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "store/fake_s3.h"

namespace millrace::store {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Request = FakeS3::Request;
using Fault = FakeS3::Fault;

Result<std::string> get(ObjectStore& store, const ObjectInfo& object, uint64_t offset,
                        uint64_t length) {
  MR_ASSIGN(const auto reader, store.open(object, offset, length));
  std::string content;
  char block[64];
  while (true) {
    MR_ASSIGN(const size_t got, reader->read(block));
    if (got == 0) return content;
    content.append(block, got);
  }
}

TEST(S3Read, StreamsRangesOverBlocks) {
  FakeS3 s3;
  const auto store = s3.store();
  s3.objects["big"] = pattern(1234);
  const ObjectInfo big = store->stat("big").value();
  EXPECT_EQ(big.size, 1234u);
  for (const auto& [offset, length] : std::vector<std::pair<uint64_t, uint64_t>>{
           {0, 1234}, {0, 100}, {0, 101}, {7, 1000}, {1233, 1}, {1234, 0}}) {
    EXPECT_EQ(get(*store, big, offset, length).value(), pattern(1234).substr(offset, length));
  }
  EXPECT_FALSE(get(*store, big, 0, 1235));
}

TEST(S3Read, GoesOnAtTheByteWhereTheConnectionBroke) {
  const std::string content = pattern(250);
  std::vector<std::string> ranges;
  int calls = 0;
  HttpImposter server([&](const Request& request) {
    const std::string range = request.header("range");
    ranges.push_back(range);
    const size_t first = std::stoull(range.substr(6));
    const size_t last = std::stoull(range.substr(range.find('-') + 1));
    FakeS3::Reply reply;
    reply.status = 206;
    reply.headers = {{"ETag", "\"e\""}, {"Content-Range", "bytes " + range.substr(6) + "/250"}};
    reply.body = content.substr(first, last - first + 1);
    if (++calls <= 3) {
      reply.broken = FakeS3::Reply::Break::kInBody;
      reply.bytes_before_break = 30;
    }
    return reply;
  });
  FakeS3 s3;
  S3StoreConfig config = s3.config();
  config.client.address.endpoint = parse_endpoint_url(server.url()).value();
  const auto store = make_s3_store(std::move(config));
  EXPECT_EQ(get(*store, {"x", 250, "\"e\"", ""}, 0, 250).value(), content);
  EXPECT_THAT(ranges, ElementsAre("bytes=0-99", "bytes=30-99", "bytes=60-99", "bytes=90-99",
                                  "bytes=100-199", "bytes=200-249"));
}

TEST(S3Read, AChangedObjectIsNoticedInTheMiddle) {
  FakeS3 s3;
  const auto store = s3.store();
  s3.objects["x"] = pattern(300);
  const ObjectInfo listed = store->stat("x").value();
  s3.fault = [&](int, const Request& request) {
    if (request.header("range") == "bytes=200-299") s3.objects["x"] = std::string(300, 'n');
    return Fault::kNone;
  };
  const auto content = get(*store, listed, 0, 300);
  ASSERT_FALSE(content);
  EXPECT_EQ(content.error().code, Code::kBadInput);
  EXPECT_THAT(content.error().message, HasSubstr("s3://bucket/x: it changed since it was listed"));
}

TEST(S3Read, AServerThatIgnoresRangesIsNotBelieved) {
  HttpImposter server([&](const Request&) {
    FakeS3::Reply reply;
    reply.body = std::string(50, 'x');
    return reply;
  });
  FakeS3 s3;
  S3StoreConfig config = s3.config();
  config.client.address.endpoint = parse_endpoint_url(server.url()).value();
  const auto store = make_s3_store(std::move(config));
  EXPECT_EQ(get(*store, {"x", 100, "", ""}, 0, 50).value(), std::string(50, 'x'));
  EXPECT_THAT(get(*store, {"x", 100, "", ""}, 50, 50).error().message,
              HasSubstr("does not answer range requests"));
  EXPECT_THAT(get(*store, {"x", 100, "", ""}, 0, 40).error().message, HasSubstr("more bytes"));
  EXPECT_EQ(get(*store, {"x", 100, "", ""}, 0, 60).error().code, Code::kUnavailable);
}

TEST(S3Read, AReaderThatIsDroppedDoesNotWaitForItsBlocks) {
  FakeS3 s3;
  const auto store = s3.store();
  s3.objects["x"] = pattern(1000);
  const auto listed = store->stat("x").value();
  char block[10];
  ASSERT_TRUE(store->open(listed, 0, 1000).value()->read(block));
  EXPECT_LE(s3.calls, 3);
}

}  // namespace
}  // namespace millrace::store
