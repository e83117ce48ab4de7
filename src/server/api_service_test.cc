// The API over real loopback connections, with a job service in memory behind it: protocols,
// errors, the REST surface, and hostile HTTP.
#include "server/api_service.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/http_client.h"
#include "base/unique_fd.h"
#include "server/fake_job_service.h"
#include "server/rest_api.h"

namespace millrace::server {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class ApiServiceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    options_.body_bytes_max = limits::kApiBodyBytesMax;
    options_.header_timeout = std::chrono::seconds(1);
    options_.early_reply = [this](const ServerRequest& head) { return service_.early_reply(head); };
    options_.refusal = [this](int status, const std::string& why) {
      return service_.refusal(status, why);
    };
    auto made = HttpServer::listen(options_, [this](ServerRequest request, Answer answer) {
      service_.handle(std::move(request), std::move(answer));
    });
    ASSERT_TRUE(made) << made.error().message;
    server_ = std::move(*made);
    service_.set_http_counters([this] { return server_->counters(); });
    thread_ = std::thread([this] { EXPECT_TRUE(server_->run(cancel_)); });
    jobs_.create_model(R"({"ModelName": "m", "PrimaryContainer": {"Image": "i"}})").value();
  }
  void TearDown() override {
    cancel_.cancel();
    if (thread_.joinable()) thread_.join();
    service_.stop();
  }

  HttpReply send(const std::string& method, const std::string& path, const std::string& body = "",
                 std::vector<HeaderField> headers = {}) {
    HttpRequest request;
    request.method = method;
    request.url = "http://127.0.0.1:" + std::to_string(server_->port()) + path;
    request.headers = std::move(headers);
    request.body = body;
    auto reply = client_.send(request, CancelToken());
    EXPECT_TRUE(reply) << reply.error().message;
    return reply ? std::move(*reply) : HttpReply();
  }

  HttpReply call(const std::string& target, const std::string& body) {
    return send("POST", "/", body,
                {{"X-Amz-Target", target}, {"Content-Type", "application/x-amz-json-1.1"}});
  }

  json job(const std::string& name) {
    return {{"TransformJobName", name},
            {"ModelName", "m"},
            {"TransformInput",
             {{"DataSource",
               {{"S3DataSource", {{"S3DataType", "S3Prefix"}, {"S3Uri", "s3://b/in/"}}}}}}},
            {"TransformOutput", {{"S3OutputPath", "s3://b/out"}}},
            {"TransformResources", {{"InstanceType", "ml.m5.large"}, {"InstanceCount", 1}}}};
  }

  // What comes back for bytes that no client of ours would send, until the server closes.
  std::string raw(const std::string& bytes) {
    const UniqueFd fd(::socket(AF_INET, SOCK_STREAM, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(server_->port()));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
    std::string reply;
    char block[4096];
    for (ssize_t got = 0; (got = ::recv(fd.get(), block, sizeof block, 0)) > 0;) {
      reply.append(block, static_cast<size_t>(got));
    }
    return reply;
  }

  std::string lines() {
    const std::lock_guard lock(log_mutex_);
    return log_text_;
  }

  const CancelToken cancel_;
  FakeJobService jobs_;
  std::mutex log_mutex_;
  std::string log_text_;
  ServiceLog log_{LogFormat::kJson, LogLevel::kDebug, [this](std::string_view text) {
                    const std::lock_guard lock(log_mutex_);
                    log_text_ += text;
                  }};
  ApiService service_{jobs_, log_, {}};
  ServerOptions options_;
  std::unique_ptr<HttpServer> server_;
  HttpClient client_;
  std::thread thread_;
};

TEST_F(ApiServiceTest, CreatesAndDescribesWithWhatSageMakerFillsIn) {
  const HttpReply created = call("SageMaker.CreateTransformJob", job("job-1").dump());
  EXPECT_EQ(created.status, 200) << created.body;
  EXPECT_EQ(created.header("content-type"), "application/x-amz-json-1.1");
  EXPECT_EQ(created.header("x-amzn-requestid").size(), 36U);
  EXPECT_EQ(
      json::parse(created.body),
      json({{"TransformJobArn", "arn:aws:sagemaker:us-east-1:000000000000:transform-job/job-1"}}));
  const json shown =
      json::parse(call("SageMaker.DescribeTransformJob", R"({"TransformJobName":"job-1"})").body);
  EXPECT_EQ(shown["DataProcessing"],
            json({{"InputFilter", "$"}, {"JoinSource", "None"}, {"OutputFilter", "$"}}));
  EXPECT_EQ(shown["TransformInput"]["SplitType"], "None");
  EXPECT_EQ(shown["TransformInput"]["CompressionType"], "None");
  EXPECT_EQ(shown["TransformOutput"],
            json({{"S3OutputPath", "s3://b/out"}, {"AssembleWith", "None"}, {"KmsKeyId", ""}}));
  EXPECT_EQ(shown["CreationTime"], 1764106123.5);
  EXPECT_EQ(shown["TransformJobStatus"], "InProgress");
  EXPECT_EQ(shown["Millrace"]["Progress"]["RecordsDone"], 7);
  for (const char* const absent :
       {"MaxConcurrentTransforms", "MaxPayloadInMB", "BatchStrategy", "ModelClientConfig", "Tags",
        "TransformStartTime", "FailureReason"}) {
    EXPECT_FALSE(shown.contains(absent)) << absent;
  }
}

TEST_F(ApiServiceTest, ErrorsHaveTheirCodesAndAlwaysTypeAndMessage) {
  const auto code = [this](const std::string& target, const std::string& body) {
    const HttpReply reply = call(target, body);
    const json error = json::parse(reply.body, nullptr, false);
    EXPECT_TRUE(error["message"].is_string() && error["message"] != "") << reply.body;
    return std::to_string(reply.status) + " " + error["__type"].get<std::string>();
  };
  EXPECT_EQ(code("SageMaker.DescribeTransformJob", R"({"TransformJobName":"no"})"),
            "400 ValidationException");
  EXPECT_EQ(code("SageMaker.StopTransformJob", R"({"TransformJobName":"no"})"),
            "400 ResourceNotFound");
  EXPECT_EQ(call("SageMaker.CreateTransformJob", job("a").dump()).status, 200);
  EXPECT_EQ(code("SageMaker.CreateTransformJob", job("a").dump()), "400 ResourceInUse");
  EXPECT_EQ(code("SageMaker.CreateModel", R"({"ModelName":"m","PrimaryContainer":{"Image":"i"}})"),
            "400 ValidationException");
  EXPECT_THAT(
      call("SageMaker.CreateModel", R"({"ModelName":"m","PrimaryContainer":{"Image":"i"}})").body,
      HasSubstr("Cannot create already existing model"));
  EXPECT_EQ(code("SageMaker.CreateTransformJob", "{"), "400 SerializationException");
  EXPECT_EQ(code("SageMaker.CreateTrainingJob", "{}"), "400 UnknownOperationException");
  EXPECT_EQ(code("DynamoDB_20120810.ListTables", "{}"), "400 UnknownOperationException");
  json other = job("b");
  other["ModelName"] = "unavailable";
  EXPECT_EQ(code("SageMaker.CreateTransformJob", other.dump()), "503 ServiceUnavailable");
  EXPECT_EQ(send("POST", "/", "{}",
                 {{"X-Amz-Target", "SageMaker.ListModels"}, {"Content-Type", "text/plain"}})
                .status,
            415);
  const HttpReply nothing = send("GET", "/");
  EXPECT_EQ(nothing.status, 404);
  EXPECT_EQ(json::parse(nothing.body)["__type"], "UnknownOperationException");
}

TEST_F(ApiServiceTest, StopAndDeleteModelAnswerWithNothing) {
  call("SageMaker.CreateTransformJob", job("a").dump());
  const HttpReply stopped = call("SageMaker.StopTransformJob", R"({"TransformJobName":"a"})");
  EXPECT_EQ(stopped.status, 200);
  EXPECT_EQ(stopped.body, "");
  EXPECT_EQ(call("SageMaker.DeleteModel", R"({"ModelName":"m"})").body, "");
  EXPECT_EQ(call("SageMaker.DeleteTags",
                 R"({"ResourceArn":"arn:aws:sagemaker:us-east-1:123456789012:model/m",
                     "TagKeys":["k"]})")
                .body,
            "{}");
}

TEST_F(ApiServiceTest, ListPassesFiltersAndDefaultsOn) {
  call("SageMaker.ListTransformJobs", "{}");
  EXPECT_EQ(jobs_.last_query.results_max, 10U);
  EXPECT_TRUE(jobs_.last_query.descending);
  EXPECT_EQ(jobs_.last_query.sort_by, jobs::SortBy::kCreationTime);
  call("SageMaker.ListTransformJobs",
       R"({"SortBy":"Name","SortOrder":"Ascending","MaxResults":3,"NameContains":"x",
           "StatusEquals":"Failed","CreationTimeAfter":1.5,"LastModifiedTimeBefore":2})");
  EXPECT_EQ(jobs_.last_query.results_max, 3U);
  EXPECT_FALSE(jobs_.last_query.descending);
  EXPECT_EQ(jobs_.last_query.sort_by, jobs::SortBy::kName);
  EXPECT_EQ(jobs_.last_query.status, jobs::JobStatus::kFailed);
  EXPECT_EQ(jobs_.last_query.created_after, 1.5);
  EXPECT_EQ(jobs_.last_query.modified_before, 2.0);
  for (const char* const name : {"a", "b", "c"}) {
    call("SageMaker.CreateTransformJob", job(name).dump());
  }
  const json page = json::parse(call("SageMaker.ListTransformJobs", R"({"MaxResults":2})").body);
  EXPECT_EQ(page["TransformJobSummaries"].size(), 2U);
  EXPECT_EQ(page["NextToken"], "more");
}

TEST_F(ApiServiceTest, LogsEndWithAnEmptyPageAndTheSameToken) {
  jobs_.logs["j/host"] = {{1000, "one", 0}, {2000, "two", 40}, {2000, "three", 80}};
  jobs_.logs["j/host/data-log"] = {};
  const std::string group = R"("logGroupName":"/aws/sagemaker/TransformJobs")";
  const json streams = json::parse(
      call("Logs_20140328.DescribeLogStreams",
           "{" + group + R"(,"logStreamNamePrefix":"j/","orderBy":"LogStreamName","limit":1})")
          .body);
  EXPECT_EQ(streams["logStreams"].size(), 2U);  // small limits would make the SDK print twice
  EXPECT_FALSE(streams.contains("nextToken"));
  const std::string stream = "{" + group + R"(,"logStreamName":"j/host","startFromHead":true)";
  const json first =
      json::parse(call("Logs_20140328.GetLogEvents", stream + R"(,"startTime":2000})").body);
  ASSERT_EQ(first["events"].size(), 2U);
  EXPECT_EQ(first["events"][0]["message"], "two");
  const std::string token = first["nextForwardToken"];
  for (int i = 0; i < 2; ++i) {
    const json next = json::parse(
        call("Logs_20140328.GetLogEvents", stream + R"(,"nextToken":")" + token + "\"}").body);
    EXPECT_EQ(next["events"], json::array());
    EXPECT_EQ(next["nextForwardToken"], token);
  }
  EXPECT_THAT(call("Logs_20140328.GetLogEvents",
                   R"({"logGroupName":"/elsewhere","logStreamName":"j/host"})")
                  .body,
              HasSubstr("ResourceNotFoundException"));
  EXPECT_THAT(call("Logs_20140328.GetLogEvents", stream + R"(,"nextToken":"x"})").body,
              HasSubstr("InvalidParameterException"));
  const json filtered =
      json::parse(call("Logs_20140328.FilterLogEvents",
                       "{" + group + R"(,"logStreamNamePrefix":"j/","filterPattern":"t -three"})")
                      .body);
  ASSERT_EQ(filtered["events"].size(), 1U);
  EXPECT_EQ(filtered["events"][0]["message"], "two");
}

TEST_F(ApiServiceTest, QueryProtocolAnswersInXml) {
  const std::vector<HeaderField> form = {{"Content-Type", "application/x-www-form-urlencoded"}};
  const HttpReply identity = send("POST", "/", "Action=GetCallerIdentity&Version=2011-06-15", form);
  EXPECT_EQ(identity.status, 200);
  EXPECT_THAT(identity.body, HasSubstr("<Arn>arn:aws:sts::000000000000:assumed-role/millrace/"));
  const HttpReply role = send("POST", "/", "Action=GetRole&RoleName=x", form);
  EXPECT_EQ(role.status, 403);
  EXPECT_THAT(role.body, HasSubstr("<Code>AccessDenied</Code>"));
  EXPECT_EQ(send("POST", "/", "Action=Run%3Cme%3E", form).status, 400);
}

TEST_F(ApiServiceTest, AnS3ClientIsToldThatThisIsNotS3) {
  const std::vector<HeaderField> s3 = {
      {"Authorization",
       "AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, "
       "Signature=00"},
      {"Expect", "100-continue"}};
  const HttpReply reply = send("PUT", "/bucket/key", std::string(100000, 'x'), s3);
  EXPECT_EQ(reply.status, 400);
  EXPECT_THAT(reply.body, HasSubstr("<Code>InvalidRequest</Code>"));
  EXPECT_THAT(reply.body, HasSubstr("AWS_ENDPOINT_URL_S3"));
}

TEST_F(ApiServiceTest, RestShowsStopsDeletes) {
  call("SageMaker.CreateTransformJob", job("a").dump());
  jobs_.objects = {{"s3://b/in/x", "s3://b/out/x.out", 3, 0, 30, 0.5, ""},
                   {"s3://b/in/y", "", 1, 1, 10, 0.1, "record 1: not JSON"}};
  EXPECT_EQ(json::parse(send("GET", "/v1/jobs").body)["Jobs"].size(), 1U);
  const json shown = json::parse(send("GET", "/v1/jobs/a").body);
  EXPECT_EQ(shown["Progress"]["RecordsDone"], 7);
  EXPECT_EQ(json::parse(send("GET", "/v1/jobs/a/objects").body)["Objects"].size(), 2U);
  const json errors = json::parse(send("GET", "/v1/jobs/a/errors").body)["Objects"];
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_EQ(errors[0]["Error"], "record 1: not JSON");
  EXPECT_EQ(send("DELETE", "/v1/jobs/a").status, 409);
  EXPECT_EQ(send("POST", "/v1/jobs/a/stop").status, 202);
  EXPECT_EQ(send("POST", "/v1/jobs/a/stop").status, 409);
  EXPECT_EQ(send("DELETE", "/v1/jobs/a").status, 204);
  EXPECT_EQ(send("GET", "/v1/jobs/a").status, 404);
  EXPECT_EQ(send("GET", "/v1/jobs?max_results=0").status, 400);
  EXPECT_EQ(send("GET", "/v1/jobs?unknown=1").status, 400);
  EXPECT_EQ(send("GET", "/v1/jobs?name_contains=" + std::string(64, 'x')).status, 400);
  EXPECT_EQ(send("GET", "/v1/jobs?next_token=" + std::string(8193, 'x')).status, 400);
  EXPECT_EQ(send("GET", "/v1/jobs/..%2f..%2fetc").status, 404);
  const HttpReply wrong = send("PATCH", "/v1/jobs/a");
  EXPECT_EQ(wrong.status, 405);
  EXPECT_EQ(wrong.header("allow"), "GET, DELETE");
  EXPECT_EQ(json::parse(send("GET", "/v1/openapi.json").body)["openapi"], "3.0.3");
}

TEST_F(ApiServiceTest, MonitoringNeedsNoKeyAndTellsTheState) {
  EXPECT_EQ(send("GET", "/healthz").body, "ok\n");
  EXPECT_EQ(send("GET", "/readyz").status, 200);
  jobs_.readiness = fail(unavailable("the job store cannot be written"));
  const HttpReply not_ready = send("GET", "/readyz");
  EXPECT_EQ(not_ready.status, 503);
  EXPECT_EQ(not_ready.body, "the job store cannot be written\n");
  call("SageMaker.ListModels", "{}");
  const std::string metrics = send("GET", "/metrics").body;
  EXPECT_THAT(metrics, HasSubstr("millrace_api_requests_total{operation=\"ListModels\",code=\"\","
                                 "status=\"200\"} 1\n"));
  EXPECT_THAT(metrics, HasSubstr("millrace_jobs_queued 0\n"));
}

TEST_F(ApiServiceTest, LogsRequestsAndNothingOfTheirContents) {
  json secret = job("a");
  secret["Environment"] = {{"PASSWORD", "topsecret"}};
  EXPECT_EQ(call("SageMaker.CreateTransformJob", secret.dump()).status, 200);
  secret["TransformJobName"] = "topsecret!";
  EXPECT_EQ(call("SageMaker.CreateTransformJob", secret.dump()).status, 400);
  for (int i = 0; i < 500 && lines().find("ValidationException") == std::string::npos; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_THAT(lines(), HasSubstr("\"operation\":\"CreateTransformJob\",\"status\":\"400\""));
  EXPECT_THAT(lines(), HasSubstr("accepted without effect: TransformResources.InstanceType="));
  EXPECT_THAT(lines(), Not(HasSubstr("topsecret")));
}

TEST_F(ApiServiceTest, HttpThatTwoReadersMightReadDifferentlyIsRefused) {
  const std::string start = "POST / HTTP/1.1\r\n";
  const std::string host = "Host: x\r\n";
  const std::string hidden = "\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
  for (const std::string& request :
       {start + host + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n" + hidden,
        start + host + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n" + hidden,
        start + host + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        start + host + "Transfer-Encoding: gzip, chunked\r\n" + hidden,
        start + host + "Transfer-Encoding: xchunked\r\n" + hidden,
        start + host + "Content-Length: +5\r\n\r\nhello",
        start + host + "Content-Length : 5\r\n\r\nhello", start + host + host + "\r\n",
        start + "\r\n", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n" + hidden,
        std::string("\x16\x03\x01\x02\r\n\r\n"), std::string("NONSENSE\r\n\r\n"),
        "GET / HTTP/1.1\r\nHost: x\r\nX: " + std::string(100000, 'a') + "\r\n\r\n"}) {
    const std::string reply = raw(request);
    EXPECT_THAT(reply, testing::AnyOf(StartsWith("HTTP/1.1 400 "), StartsWith("HTTP/1.1 431 ")))
        << request.substr(0, 80);
    EXPECT_THAT(reply, Not(HasSubstr("200 OK"))) << request.substr(0, 80);
    EXPECT_THAT(reply, HasSubstr("\"__type\"")) << request.substr(0, 80);
  }
  EXPECT_THAT(raw(start + host + "Content-Length: 99999999\r\n\r\n"), StartsWith("HTTP/1.1 413 "));
}

TEST_F(ApiServiceTest, WhoDawdlesIsClosed) {
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(raw("POST / HTTP/1.1\r\nHost: x\r\nX-Slow: "), "");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
}

}  // namespace
}  // namespace millrace::server
