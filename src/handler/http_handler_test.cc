// The http handler against a real loopback server: what it sends, what it repeats, and what it says
// of each way in which a server can fail.
#include "handler/http_handler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <thread>

#include "base/http_imposter.h"
#include "handler/http_messages.h"

namespace millrace::handler {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Reply = HttpImposter::Reply;
using Request = HttpImposter::Request;

Reply reply_of(int status, std::string body = "") {
  Reply reply;
  reply.status = status;
  reply.body = std::move(body);
  return reply;
}

// A server that is ready, has no execution parameters, and answers invocations by `answer`.
HttpImposter::Handler model(std::function<Reply(const Request&)> answer) {
  return [answer = std::move(answer)](const Request& request) {
    if (request.path() == "/ping") return reply_of(200);
    if (request.path() == "/execution-parameters") return reply_of(404);
    return answer(request);
  };
}

HttpHandlerOptions options_for(const HttpImposter& server) {
  HttpHandlerOptions options;
  options.endpoint.url = server.url();
  return options;
}

std::unique_ptr<InferenceHandler> ready(HttpHandlerOptions options) {
  auto made = make_http_handler(std::move(options), CancelToken());
  EXPECT_TRUE(made) << made.error().message;
  return std::move(*made);
}

InvokeRequest request_of(std::string body) {
  InvokeRequest request;
  request.body = std::move(body);
  request.object_name = "bucket/key.csv";
  return request;
}

std::vector<Request> invocations(const HttpImposter& server) {
  std::vector<Request> found;
  for (const Request& request : server.requests()) {
    if (request.path() == "/invocations") found.push_back(request);
  }
  return found;
}

TEST(HttpHandler, SendsTheHeadersOfSageMakerAndNoOthers) {
  HttpImposter server(model([](const auto&) { return reply_of(200, "answer"); }));
  const auto handler = ready(options_for(server));
  InvokeRequest request = request_of("a,b\n");
  request.content_type = "text/csv";
  request.accept = "application/json";
  const auto reply = handler->invoke(std::move(request)).get();
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->body, "answer");
  const Request seen = invocations(server).at(0);
  EXPECT_EQ(seen.method, "POST");
  EXPECT_EQ(seen.body, "a,b\n");
  std::vector<std::string> names;
  for (const auto& [name, value] : seen.headers) names.push_back(name);
  EXPECT_THAT(names, ElementsAre("accept", "accept-encoding", "content-length", "content-type",
                                 "host", "user-agent", "x-amzn-sagemaker-input-object",
                                 "x-amzn-sagemaker-input-object-base64"));
  EXPECT_EQ(seen.header("content-type"), "text/csv");
  EXPECT_EQ(seen.header("accept"), "application/json");
  EXPECT_EQ(seen.header("x-amzn-sagemaker-input-object"), "bucket/key.csv");
  EXPECT_EQ(seen.header("x-amzn-sagemaker-input-object-base64"), "YnVja2V0L2tleS5jc3Y=");
}

TEST(HttpHandler, SendsNoContentTypeOrAcceptThatNobodyStated) {
  HttpImposter server(model([](const auto&) { return reply_of(200); }));
  const auto handler = ready(options_for(server));
  ASSERT_TRUE(handler->invoke(request_of("x")).get());
  const Request seen = invocations(server).at(0);
  EXPECT_EQ(seen.headers.count("content-type"), 0u);
  EXPECT_EQ(seen.headers.count("accept"), 0u);
}

TEST(HttpHandler, SendsANameWithALineBreakInBase64Only) {
  HttpImposter server(model([](const auto&) { return reply_of(200); }));
  const auto handler = ready(options_for(server));
  InvokeRequest request = request_of("x");
  request.object_name = "a\r\nX-Evil: 1";
  ASSERT_TRUE(handler->invoke(std::move(request)).get());
  const Request seen = invocations(server).at(0);
  EXPECT_EQ(seen.headers.count("x-evil"), 0u);
  EXPECT_EQ(seen.headers.count("x-amzn-sagemaker-input-object"), 0u);
  EXPECT_EQ(seen.header("x-amzn-sagemaker-input-object-base64"), "YQ0KWC1FdmlsOiAx");
}

TEST(HttpHandler, PingsUntilTheServerIsReadyAndAsksOnceForItsParameters) {
  std::atomic<int> pings{0};
  HttpImposter server([&](const Request& request) {
    if (request.path() == "/ping") return reply_of(++pings < 3 ? 503 : 200);
    return reply_of(200, R"({"MaxConcurrentTransforms":8,"BatchStrategy":"SINGLE_RECORD",)"
                         R"("MaxPayloadInMB":2})");
  });
  const auto handler = ready(options_for(server));
  EXPECT_EQ(handler->traits().max_concurrent_transforms, 8u);
  EXPECT_EQ(handler->traits().max_payload_in_mb, 2u);
  EXPECT_EQ(handler->traits().batch_strategy, record::BatchStrategy::kSingleRecord);
  std::vector<std::string> paths;
  for (const Request& request : server.requests()) paths.push_back(request.path());
  EXPECT_THAT(paths, ElementsAre("/ping", "/ping", "/ping", "/execution-parameters"));
}

// As a server does that has one large page for every path.
TEST(HttpHandler, APageInsteadOfParametersLeavesTheDefaults) {
  HttpImposter server([&](const Request&) { return reply_of(200, std::string(300'000, ' ')); });
  std::vector<std::string> notices;
  HttpHandlerOptions options = options_for(server);
  options.endpoint.notice = [&](std::string_view text) { notices.emplace_back(text); };
  const auto handler = ready(std::move(options));
  EXPECT_FALSE(handler->traits().max_payload_in_mb);
  EXPECT_THAT(notices, ElementsAre(HasSubstr("/execution-parameters: the reply is larger than")));
}

TEST(HttpHandler, GivesUpOnAServerThatIsNeverReady) {
  HttpImposter server([](const auto&) { return reply_of(500); });
  HttpHandlerOptions options = options_for(server);
  options.endpoint.ping_timeout = std::chrono::seconds(0);
  const auto made = make_http_handler(std::move(options), CancelToken());
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Code::kUnavailable);
  EXPECT_THAT(made.error().message, HasSubstr("failed to respond to /ping with HTTP 200"));
  EXPECT_THAT(made.error().message, HasSubstr("it answered 500"));
}

TEST(HttpHandler, StopsWaitingWhenTheServerIsKnownToBeGone) {
  HttpHandlerOptions options;
  options.endpoint.url = "http://127.0.0.1:9";
  options.endpoint.alive = [] { return Status(fail(internal_error("it exited"))); };
  const auto made = make_http_handler(std::move(options), CancelToken());
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().message, "it exited");
}

TEST(HttpHandler, DoesNotRepeatARequestThatTheModelRefuses) {
  HttpImposter server(model([](const auto&) { return reply_of(400, "Extra data: line 2\n"); }));
  const auto handler = ready(options_for(server));
  const auto reply = handler->invoke(request_of("x")).get();
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, Code::kBadInput);
  EXPECT_EQ(reply.error().message, "ClientError: 400: Extra data: line 2");
  EXPECT_EQ(invocations(server).size(), 1u);
}

TEST(HttpHandler, RepeatsWhatFailedInTheServerThenSaysSo) {
  HttpImposter server(model([](const auto&) { return reply_of(500, "Traceback: boom"); }));
  HttpHandlerOptions options = options_for(server);
  options.invocation_retries = 1;
  const auto reply = ready(std::move(options))->invoke(request_of("x")).get();
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, Code::kInternal);
  EXPECT_EQ(reply.error().message,
            "Bad HTTP status received from algorithm: 500: Traceback: boom (after 2 attempts)");
  EXPECT_EQ(invocations(server).size(), 2u);
}

TEST(HttpHandler, SucceedsWhenARepeatedRequestDoes) {
  std::atomic<int> tried{0};
  HttpImposter server(model([&](const auto& request) {
    Reply reply = reply_of(200, "ok:" + request.body);
    if (++tried == 1) reply.broken = Reply::Break::kBeforeReply;
    return reply;
  }));
  const auto reply = ready(options_for(server))->invoke(request_of("same")).get();
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->body, "ok:same");
}

TEST(HttpHandler, SaysThatTheServerHungUpInMidReply) {
  HttpImposter server(model([](const auto&) {
    Reply reply = reply_of(200, std::string(1000, 'x'));
    reply.broken = Reply::Break::kInBody;
    reply.bytes_before_break = 10;
    return reply;
  }));
  HttpHandlerOptions options = options_for(server);
  options.invocation_retries = 0;
  const auto reply = ready(std::move(options))->invoke(request_of("x")).get();
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, Code::kInternal);
  EXPECT_THAT(reply.error().message, HasSubstr("Unable to get response from algorithm"));
  EXPECT_THAT(reply.error().message, HasSubstr("lost after 10 bytes"));
}

TEST(HttpHandler, TimesOutAServerThatThinksTooLong) {
  HttpImposter server(model([](const auto&) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1300));
    return reply_of(200);
  }));
  HttpHandlerOptions options = options_for(server);
  options.invocation_timeout = std::chrono::seconds(1);
  options.invocation_retries = 0;
  const auto reply = ready(std::move(options))->invoke(request_of("x")).get();
  ASSERT_FALSE(reply);
  EXPECT_THAT(reply.error().message, HasSubstr("timed out"));
}

TEST(HttpHandler, TakesEmptyAnswers) {
  HttpImposter server(model([](const auto&) { return reply_of(204); }));
  const auto reply = ready(options_for(server))->invoke(request_of("x")).get();
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->body, "");
}

TEST(HttpHandler, SendsAnUnlimitedPayloadInChunks) {
  HttpImposter server(model([](const auto&) {
    Reply reply = reply_of(200);
    reply.broken = Reply::Break::kInBody;  // the server reads no chunks: this connection ends
    return reply;
  }));
  HttpHandlerOptions options = options_for(server);
  options.chunked = true;
  (void)ready(std::move(options))->invoke(request_of("endless")).get();
  const Request seen = invocations(server).at(0);
  EXPECT_EQ(seen.header("transfer-encoding"), "chunked");
  EXPECT_EQ(seen.headers.count("content-length"), 0u);
}

TEST(HttpHandler, KeepsNoMoreConnectionsThanItMayHaveRequestsInFlight) {
  HttpImposter server(model([](const auto& request) { return reply_of(200, request.body); }));
  HttpHandlerOptions options = options_for(server);
  options.max_concurrent_transforms = 4;
  const auto handler = ready(std::move(options));
  std::vector<std::future<Result<InvokeReply>>> replies;
  for (int i = 0; i < 40; ++i) replies.push_back(handler->invoke(request_of(std::to_string(i))));
  for (size_t i = 0; i < replies.size(); ++i) {
    const auto reply = replies[i].get();
    ASSERT_TRUE(reply) << reply.error().message;
    EXPECT_EQ(reply->body, std::to_string(i));
  }
  std::set<int> connections;
  for (const Request& request : invocations(server)) connections.insert(request.connection);
  EXPECT_LE(connections.size(), 4u);
}

TEST(HttpMessages, LeavesParametersOutOfRangeAtTheirDefaults) {
  const auto read = parse_execution_parameters(
      R"({"MaxConcurrentTransforms":0,"MaxPayloadInMB":"6","BatchStrategy":"Multi"})");
  EXPECT_FALSE(read.max_concurrent_transforms);
  EXPECT_FALSE(read.max_payload_in_mb);
  EXPECT_FALSE(read.batch_strategy);
  EXPECT_EQ(read.ignored.size(), 3u);
  EXPECT_EQ(parse_execution_parameters("<html>").ignored.size(), 1u);
  EXPECT_TRUE(parse_execution_parameters("{}").ignored.empty());
}

TEST(HttpMessages, QuotesTheBeginningAndTheEndOfALongRefusal) {
  const std::string body = "  first" + std::string(9000, '.') + "last\r\n";
  const std::string quoted = reply_excerpt(body);
  EXPECT_TRUE(quoted.starts_with("first"));
  EXPECT_TRUE(quoted.ends_with("last"));
  EXPECT_LT(quoted.size(), 2100u);
  EXPECT_EQ(reply_excerpt(std::string("a\0b\x1b[31m", 8)), "a b [31m");
}

}  // namespace
}  // namespace millrace::handler
