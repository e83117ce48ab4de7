// What the network rooms stand on: percent-encoding, endpoint URLs, digests, times, the retry loop.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/retry.h"
#include "base/uri.h"

namespace millrace {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(PercentEncode, KeepsOnlyUnreserved) {
  EXPECT_EQ(percent_encode("aZ09-._~"), "aZ09-._~");
  EXPECT_EQ(percent_encode("a b+c/d%e*(\xc3\xa9)"), "a%20b%2Bc%2Fd%25e%2A%28%C3%A9%29");
  EXPECT_EQ(percent_encode("a//b c", true), "a//b%20c");
}

TEST(PercentDecode, IsTheReverseAndRefusesHalfAnEscape) {
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  EXPECT_EQ(percent_decode(percent_encode(all)).value(), all);
  EXPECT_EQ(percent_decode("a+b%2b").value(), "a+b+");
  EXPECT_EQ(percent_decode("a+b%2b", true).value(), "a b+");
  for (const char* text : {"%", "%4", "%4g", "%g4", "a%"}) EXPECT_FALSE(percent_decode(text));
}

TEST(EndpointUrl, PartsAndAuthority) {
  const Url url = parse_endpoint_url("HTTP://LocalHost:9000/base/").value();
  EXPECT_EQ(url.scheme, "http");
  EXPECT_EQ(url.authority(), "localhost:9000");
  EXPECT_EQ(url.path, "/base");
  EXPECT_EQ(parse_endpoint_url("https://s3.example.com:443").value().authority(), "s3.example.com");
  EXPECT_EQ(parse_endpoint_url("http://[::1]:7070").value().authority(), "[::1]:7070");
}

TEST(EndpointUrl, RefusesWhatIsNone) {
  for (const char* text :
       {"", "localhost:9000", "ftp://x", "http://", "http://:80", "http://x:0", "http://x:65536",
        "http://x:8o", "http://x?y", "http://x#y", "http://a:b:80", "http://[:80", "http://[]",
        "http://]:1", "http://a b", "http://u:secret@x", "http://x/a b"}) {
    const auto url = parse_endpoint_url(text);
    ASSERT_FALSE(url) << text;
    EXPECT_EQ(url.error().message.find("secret"), std::string::npos);
  }
}

TEST(Digest, KnownAnswers) {
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex(md5("abc")), "900150983cd24fb0d6963f7d28e17f72");
  EXPECT_EQ(sha1_hex("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
  Sha256 pieces;
  pieces.update("a");
  pieces.update("");
  pieces.update("bc");
  EXPECT_EQ(hex(pieces.finish()), sha256_hex("abc"));
}

TEST(Clock, WritesAndReadsMoments) {
  const auto time = parse_iso8601("2015-08-30T12:36:00Z");
  ASSERT_TRUE(time);
  EXPECT_EQ(format_compact_utc(*time), "20150830T123600Z");
  EXPECT_EQ(format_iso8601(*time), "2015-08-30T12:36:00Z");
  EXPECT_EQ(parse_iso8601("2015-08-30T14:36:00.123+02:00"), time);
  EXPECT_EQ(parse_iso8601("2015-08-30T12:36:00UTC"), time);
  EXPECT_EQ(parse_http_date("Sun, 30 Aug 2015 12:36:00 GMT"), time);
  for (const char* text : {"", "2015", "2015-13-30T12:36:00Z", "2015-08-30T12:36:00X",
                           "2015-08-30T12:36:00+1", "2015-08-30 12:36:00Z"}) {
    EXPECT_FALSE(parse_iso8601(text)) << text;
  }
  EXPECT_FALSE(parse_http_date("Sun, 30 Xxx 2015 12:36:00 GMT"));
  // Beyond what the clock can count: as far as it goes, not an overflow.
  EXPECT_EQ(parse_iso8601("9999-12-31T23:59:59Z"), parse_iso8601("2200-12-31T23:59:59Z"));
}

// Never waits; notes what it was asked to.
class FakeClock final : public Clock {
 public:
  WallTime now() const override { return {}; }
  bool sleep(milliseconds duration, const CancelToken& cancel) override {
    slept.push_back(duration.count());
    return !cancel.cancelled();
  }
  std::vector<int64_t> slept;
};

TEST(Retry, BacksOffAndSaysHowOftenItTried) {
  FakeClock clock;
  const Retrying how{{5, milliseconds(100), milliseconds(500)}, &clock, [] { return 1.0; }};
  int calls = 0;
  const Status status = retry(how, CancelToken(), [&]() -> Status {
    ++calls;
    return fail(unavailable("503 SlowDown"));
  });
  EXPECT_EQ(calls, 5);
  EXPECT_THAT(clock.slept, ElementsAre(100, 200, 400, 500));
  EXPECT_EQ(status.error().message, "503 SlowDown (after 5 attempts)");
}

TEST(Retry, OnlyWhatIsUnavailable) {
  FakeClock clock;
  const Retrying how{{}, &clock, [] { return 0.5; }};
  int calls = 0;
  EXPECT_EQ(retry(how, CancelToken(),
                  [&]() -> Result<int> {
                    ++calls;
                    return fail(not_found("404"));
                  })
                .error()
                .message,
            "404");
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(retry(how, CancelToken(),
                  [&]() -> Result<int> {
                    if (++calls < 4) return fail(unavailable("reset"));
                    return calls;
                  })
                .value(),
            4);
  EXPECT_THAT(clock.slept, ElementsAre(limits::kRetryFirstDelayMs / 2, limits::kRetryFirstDelayMs));
}

TEST(Retry, ACancelledWaitEndsIt) {
  FakeClock clock;
  const CancelToken cancel;
  const Retrying how{{}, &clock, [] { return 0.5; }};
  const Status status = retry(how, cancel, [&]() -> Status {
    cancel.cancel();
    return fail(unavailable("reset"));
  });
  EXPECT_EQ(status.error().code, Code::kCancelled);
}

TEST(Clock, ARealSleepIsCutShortByCancel) {
  const CancelToken cancel;
  cancel.cancel();
  EXPECT_FALSE(real_clock().sleep(std::chrono::hours(1), cancel));
  EXPECT_TRUE(real_clock().sleep(milliseconds(1), CancelToken()));
}

}  // namespace
}  // namespace millrace
