// The HTTP client against a real loopback server: what goes over the wire, and each way to fail.
#include "base/http_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "base/http_imposter.h"

namespace millrace {
namespace {

using ::testing::HasSubstr;
using Reply = HttpImposter::Reply;

Reply reply_of(int status, std::string body) {
  Reply reply;
  reply.status = status;
  reply.body = std::move(body);
  return reply;
}

TEST(HttpClient, SendsThePathAsItStandsAndNoHeadersOfItsOwn) {
  HttpImposter server([](const auto&) { return reply_of(200, "hello"); });
  HttpClient client;
  HttpRequest request;
  request.url = server.url() + "/a//b/../c%20d/.?x=%2F";
  request.headers = {{"X-Empty", ""}, {"X-Thing", "value"}};
  const auto reply = client.send(request, CancelToken());
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->body, "hello");
  const auto seen = server.requests().at(0);
  EXPECT_EQ(seen.target, "/a//b/../c%20d/.?x=%2F");
  EXPECT_EQ(seen.header("x-thing"), "value");
  EXPECT_EQ(seen.headers.count("x-empty"), 1u);
  EXPECT_EQ(seen.headers.count("expect"), 0u);
  EXPECT_EQ(seen.headers.count("content-type"), 0u);
}

TEST(HttpClient, SendsBodiesAlsoEmptyOnes) {
  HttpImposter server([](const auto& request) { return reply_of(200, request.body); });
  HttpClient client;
  const std::string large(3000000, 'x');
  for (const std::string& body : {std::string(), std::string("a\0b", 3), large}) {
    HttpRequest request;
    request.method = "PUT";
    request.url = server.url();
    request.body = body;
    const auto reply = client.send(request, CancelToken());
    ASSERT_TRUE(reply) << reply.error().message;
    EXPECT_EQ(reply->body, body);
    EXPECT_EQ(server.requests().back().header("content-length"), std::to_string(body.size()));
    EXPECT_EQ(server.requests().back().headers.count("expect"), 0u);
  }
}

TEST(HttpClient, KeepsItsConnections) {
  HttpImposter server([](const auto&) { return reply_of(200, "x"); });
  HttpClient client;
  HttpRequest request;
  request.url = server.url();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(client.send(request, CancelToken()));
  EXPECT_EQ(server.requests().back().connection, 1);
  request.fresh_connection = true;
  ASSERT_TRUE(client.send(request, CancelToken()));
  EXPECT_EQ(server.requests().back().connection, 2);
}

TEST(HttpClient, AnyStatusIsAReplyAndOnlySuccessGoesToTheSink) {
  int status = 200;
  HttpImposter server([&](const auto&) { return reply_of(status, "body"); });
  HttpClient client;
  std::string sunk;
  HttpRequest request;
  request.url = server.url();
  request.sink = [&](std::string_view bytes) -> Status {
    sunk += bytes;
    return {};
  };
  EXPECT_EQ(client.send(request, CancelToken()).value().body, "");
  EXPECT_EQ(sunk, "body");
  status = 503;
  const HttpReply reply = client.send(request, CancelToken()).value();
  EXPECT_EQ(reply.status, 503);
  EXPECT_EQ(reply.body, "body");
  EXPECT_EQ(sunk, "body");
}

TEST(HttpClient, HeadHasALengthAndNoBody) {
  HttpImposter server([](const auto&) {
    Reply reply;
    reply.headers = {{"Content-Length", "5000000000"}, {"ETag", "\"x\""}};
    return reply;
  });
  HttpClient client;
  HttpRequest request;
  request.method = "HEAD";
  request.url = server.url();
  const auto reply = client.send(request, CancelToken()).value();
  EXPECT_EQ(reply.header("content-length"), "5000000000");
  EXPECT_EQ(reply.header("etag"), "\"x\"");
}

TEST(HttpClient, ABrokenConnectionIsUnavailable) {
  Reply::Break how = Reply::Break::kBeforeReply;
  HttpImposter server([&](const auto&) {
    Reply reply = reply_of(200, "0123456789");
    reply.broken = how;
    reply.bytes_before_break = 4;
    return reply;
  });
  HttpClient client;
  HttpRequest request;
  request.url = server.url();
  EXPECT_EQ(client.send(request, CancelToken()).error().code, Code::kUnavailable);
  EXPECT_EQ(server.count(), 1u);
  how = Reply::Break::kInBody;
  const auto cut = client.send(request, CancelToken());
  EXPECT_EQ(cut.error().code, Code::kUnavailable);
  EXPECT_THAT(cut.error().message, HasSubstr("lost after 4 bytes"));
}

TEST(HttpClient, AReplyThatEndsAmongItsHeadersIsUnavailable) {
  HttpImposter server([&](const auto&) {
    Reply reply = reply_of(200, "");
    reply.broken = Reply::Break::kInHead;
    return reply;
  });
  HttpClient client;
  HttpRequest request;
  request.url = server.url();
  const auto cut = client.send(request, CancelToken());
  ASSERT_FALSE(cut);
  EXPECT_EQ(cut.error().code, Code::kUnavailable);
  EXPECT_THAT(cut.error().message, HasSubstr("head"));
}

TEST(HttpClient, NobodyThereIsUnavailableAndNamesTheUrl) {
  std::string url;
  {
    url = HttpImposter([](const auto&) { return Reply{}; }).url();
  }
  HttpClient client;
  HttpRequest request;
  request.url = url + "/key?secret=1";
  const auto reply = client.send(request, CancelToken());
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, Code::kUnavailable);
  EXPECT_THAT(reply.error().message, HasSubstr(url + "/key: "));
}

TEST(HttpClient, RefusesWhatIsNoHttpUrlAndHeadersWithLineBreaks) {
  HttpClient client;
  HttpRequest request;
  for (const char* url : {"", "file:///etc/passwd", "http://"}) {
    request.url = url;
    EXPECT_FALSE(client.send(request, CancelToken())) << url;
  }
  request.url = "http://127.0.0.1:1/";
  request.headers = {{"X", "a\r\nInjected: b"}};
  EXPECT_EQ(client.send(request, CancelToken()).error().code, Code::kInvalidArgument);
}

TEST(HttpClient, AReplyBeyondTheLimitIsAnError) {
  HttpImposter server([](const auto&) { return reply_of(200, std::string(2000, 'x')); });
  HttpClient client;
  HttpRequest request;
  request.url = server.url();
  request.reply_bytes_max = 1999;
  EXPECT_THAT(client.send(request, CancelToken()).error().message, HasSubstr("larger than 1999"));
}

TEST(HttpClient, AReplyThatSaysItIsBeyondTheLimitIsNotWaitedFor) {
  HttpImposter server([](const auto&) {
    Reply reply = reply_of(200, "only this");
    reply.headers = {{"Content-Length", "99999999999999"}};
    return reply;
  });
  HttpClient client;
  HttpRequest request;
  request.url = server.url();
  request.reply_bytes_max = 1999;
  request.timeout = std::chrono::seconds(20);
  EXPECT_THAT(client.send(request, CancelToken()).error().message, HasSubstr("larger than 1999"));
}

TEST(HttpClient, TrailersBehindAChunkedReplyAreNoLostHead) {
  HttpImposter server([](const auto&) {
    Reply reply = reply_of(200, "3;part=1\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n");
    reply.headers = {{"Transfer-Encoding", "chunked"}};
    return reply;
  });
  HttpClient client;
  HttpRequest request;
  request.url = server.url();
  for (int i = 0; i < 2; ++i) {
    const auto reply = client.send(request, CancelToken());
    ASSERT_TRUE(reply) << reply.error().message;
    EXPECT_EQ(reply->body, "abc");
  }
}

TEST(HttpClient, CancelEndsARequestThatHangs) {
  const CancelToken cancel;
  HttpImposter server([&](const auto&) {
    cancel.cancel();
    std::this_thread::sleep_for(std::chrono::milliseconds(1500));
    return Reply{};
  });
  HttpClient client;
  HttpRequest request;
  request.url = server.url();
  EXPECT_EQ(client.send(request, cancel).error().code, Code::kCancelled);
}

TEST(HttpClient, AServerThatSaysNothingTimesOut) {
  HttpImposter server([&](const auto&) {
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    return Reply{};
  });
  HttpClient client;
  HttpRequest request;
  request.url = server.url();
  request.timeout = std::chrono::milliseconds(100);
  const auto reply = client.send(request, CancelToken());
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, Code::kUnavailable);
  EXPECT_THAT(reply.error().message, HasSubstr("timed out"));
}

TEST(HttpClient, ServesSeveralThreads) {
  HttpImposter server([](const auto& request) { return reply_of(200, request.target); });
  HttpClient client;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 25; ++i) {
        HttpRequest request;
        const std::string path = "/" + std::to_string(t) + "/" + std::to_string(i);
        request.url = server.url() + path;
        EXPECT_EQ(client.send(request, CancelToken()).value().body, path);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(server.count(), 100u);
}

}  // namespace
}  // namespace millrace
