// The container contract over a real loopback connection, with a handler that can be told to fail.
#include "server/model_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "base/http_client.h"

namespace millrace::server {
namespace {

using ::testing::HasSubstr;

// Answers each request with its body in brackets; "bad" is refused, "broken" fails.
class Brackets final : public handler::InferenceHandler {
 public:
  const handler::HandlerTraits& traits() const override { return traits_; }
  std::future<Result<handler::InvokeReply>> invoke(handler::InvokeRequest request) override {
    std::promise<Result<handler::InvokeReply>> promise;
    promise.set_value(answer(request));
    return promise.get_future();
  }

 private:
  static Result<handler::InvokeReply> answer(const handler::InvokeRequest& request) {
    if (request.body == "broken") return fail(internal_error("it is broken"));
    handler::InvokeReply reply;
    reply.content_type = request.content_type + ">" + request.accept;
    if (request.body == "bad") reply.errors.push_back({2, "not JSON"});
    reply.body = "[" + request.body + "]";
    return reply;
  }
  handler::HandlerTraits traits_;
};

class ModelServiceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ServerOptions options;
    options.body_bytes_max = 1000000;
    auto made = HttpServer::listen(options, [this](ServerRequest request, Answer answer) {
      service_.handle(std::move(request), std::move(answer));
    });
    ASSERT_TRUE(made) << made.error().message;
    server_ = std::move(*made);
    thread_ = std::thread([this] { EXPECT_TRUE(server_->run(cancel_)); });
  }
  void TearDown() override {
    cancel_.cancel();
    if (thread_.joinable()) thread_.join();
    service_.stop();
  }

  HttpReply send(const std::string& method, const std::string& path, const std::string& body = "",
                 bool chunked = false) {
    HttpRequest request;
    request.method = method;
    request.url = "http://127.0.0.1:" + std::to_string(server_->port()) + path;
    request.headers = {{"Content-Type", "text/csv"}, {"Accept", "application/json"}};
    request.body = body;
    request.chunked = chunked;
    auto reply = client_.send(request, CancelToken());
    EXPECT_TRUE(reply) << reply.error().message;
    return reply ? std::move(*reply) : HttpReply();
  }

  const CancelToken cancel_;
  Brackets handler_;
  ModelService service_{handler_};
  std::unique_ptr<HttpServer> server_;
  HttpClient client_;
  std::thread thread_;
};

TEST_F(ModelServiceTest, AnswersPingAndStatesItsParameters) {
  const HttpReply ping = send("GET", "/ping");
  EXPECT_EQ(ping.status, 200);
  EXPECT_EQ(ping.body, "");
  const HttpReply parameters = send("GET", "/execution-parameters");
  EXPECT_EQ(parameters.status, 200);
  EXPECT_EQ(parameters.body,
            R"({"MaxConcurrentTransforms":16,"BatchStrategy":"MULTI_RECORD","MaxPayloadInMB":6})");
}

TEST_F(ModelServiceTest, HandsInvocationsToTheModel) {
  for (const bool chunked : {false, true}) {
    const HttpReply reply = send("POST", "/invocations", "a,b", chunked);
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.body, "[a,b]");
    EXPECT_EQ(reply.header("content-type"), "text/csv>application/json");
  }
}

TEST_F(ModelServiceTest, SaysWhyItRefuses) {
  const HttpReply bad = send("POST", "/invocations", "bad");
  EXPECT_EQ(bad.status, 400);
  EXPECT_EQ(bad.body, "record 3: not JSON\n");
  const HttpReply broken = send("POST", "/invocations", "broken");
  EXPECT_EQ(broken.status, 500);
  EXPECT_EQ(broken.body, "it is broken\n");
  EXPECT_EQ(send("GET", "/invocations").status, 405);
  EXPECT_EQ(send("GET", "/elsewhere").status, 404);
  EXPECT_EQ(send("POST", "/invocations", std::string(1000001, 'x')).status, 413);
}

TEST_F(ModelServiceTest, ServesManyConnectionsAtOneTime) {
  std::vector<std::thread> clients;
  std::atomic<int> right{0};
  for (int i = 0; i < 8; ++i) {
    clients.emplace_back([&, i] {
      for (int j = 0; j < 50; ++j) {
        const std::string body = std::to_string(i * 100 + j);
        right += send("POST", "/invocations", body).body == "[" + body + "]";
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(right, 400);
}

TEST(HttpServer, RefusesAPortThatIsTaken) {
  const auto nothing = [](ServerRequest, Answer answer) { answer({}); };
  const auto first = HttpServer::listen({}, nothing);
  ASSERT_TRUE(first);
  ServerOptions options;
  options.port = static_cast<uint16_t>((*first)->port());
  const auto second = HttpServer::listen(options, nothing);
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().message, HasSubstr("Address already in use"));
}

}  // namespace
}  // namespace millrace::server
