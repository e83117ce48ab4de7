// One worker: what it is asked, and what we say of each way in which it can fail.
#include "handler/python_worker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "handler/python_fixture.h"

namespace millrace::handler {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;
using Variables = std::map<std::string, std::string>;

constexpr seconds kLong(60);

class PythonWorkerTest : public ::testing::Test {
 protected:
  Result<std::unique_ptr<PythonWorker>> start(Variables variables, seconds timeout = kLong) {
    auto options = workers_.options(std::move(variables));
    options.start_timeout = timeout;
    return PythonWorker::start(options, 0, CancelToken());
  }

  std::unique_ptr<PythonWorker> started(Variables variables = {}) {
    auto worker = start(std::move(variables));
    EXPECT_TRUE(worker) << worker.error().message;
    return worker ? std::move(*worker) : nullptr;
  }

  static Result<PythonWorker::Answer> ask(PythonWorker& worker, std::string body,
                                          seconds timeout = kLong) {
    InvokeRequest request;
    request.content_type = "text/csv";
    request.accept = "application/json";
    request.object_name = "bucket/key.csv";
    request.body = std::move(body);
    return worker.ask(request, timeout);
  }

  static std::string body_of(PythonWorker& worker, std::string request) {
    const auto answer = ask(worker, std::move(request));
    return answer ? answer->body : "error: " + answer.error().message;
  }

  testing::PythonWorkers workers_;
};

TEST_F(PythonWorkerTest, SaysItsMemoryAndWhatTheCodeWants) {
  const auto worker = started({{"MEMORY", "123456789"},
                               {"PARAMETERS", R"({"BatchStrategy":"SINGLE_RECORD","Odd":1,)"
                                              R"("MaxPayloadInMB":-1})"}});
  ASSERT_TRUE(worker);
  EXPECT_EQ(worker->memory_bytes(), 123456789u);
  EXPECT_EQ(worker->parameters().batch_strategy, record::BatchStrategy::kSingleRecord);
  EXPECT_EQ(worker->parameters().max_payload_in_mb, std::nullopt);
  EXPECT_EQ(worker->parameters().ignored.size(), 1u);
}

TEST_F(PythonWorkerTest, IsSentSageMakersHeaders) {
  const auto worker = started();
  ASSERT_TRUE(worker);
  EXPECT_EQ(body_of(*worker, "headers"),
            "Content-Type: text/csv\n"
            "Accept: application/json\n"
            "X-Amzn-Sagemaker-Input-Object: bucket/key.csv\n"
            "X-Amzn-Sagemaker-Input-Object-Base64: YnVja2V0L2tleS5jc3Y=\n");
}

TEST_F(PythonWorkerTest, AnswersBytesOfEverySizeWithStatusAndType) {
  const auto worker = started();
  ASSERT_TRUE(worker);
  for (const size_t size : std::initializer_list<size_t>{0, 1, 65535, 65536, 65537, 10'000'000}) {
    std::string body(size, '\0');
    for (size_t i = 0; i < size; ++i) body[i] = static_cast<char>(i * 7);
    const auto answer = ask(*worker, body);
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->body, body) << size;
    EXPECT_EQ(answer->status, 200);
    EXPECT_EQ(answer->content_type, "text/plain");
  }
  const auto refused = ask(*worker, "status 418 a teapot");
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 418);
  EXPECT_EQ(refused->body, "a teapot");
}

TEST_F(PythonWorkerTest, CodeThatCannotBeLoadedSaysWhyInItsOwnWords) {
  const auto worker = start({{"START", "fails"}});
  ASSERT_FALSE(worker);
  EXPECT_EQ(worker.error().code, Code::kInvalidArgument);
  EXPECT_EQ(worker.error().message,
            "the model's code cannot be loaded: inference.py, line 1: SyntaxError: invalid syntax");
}

TEST_F(PythonWorkerTest, AnEndWhileItLoadsShowsStatusAndLastLines) {
  const auto worker = start({{"START", "exits"}});
  ASSERT_FALSE(worker);
  EXPECT_EQ(worker.error().code, Code::kInternal);
  EXPECT_THAT(worker.error().message, HasSubstr("exit status 4"));
  EXPECT_THAT(worker.error().message, HasSubstr("\n  no such weights"));
}

TEST_F(PythonWorkerTest, OneThatNeverLoadsIsGivenUpInTime) {
  const auto worker = start({{"START", "hangs"}}, seconds(0));
  ASSERT_FALSE(worker);
  EXPECT_EQ(worker.error().code, Code::kInternal);
  EXPECT_EQ(worker.error().message, "the model was not loaded within 0 s");
}

TEST_F(PythonWorkerTest, WhatIsNoFrameIsNamed) {
  const auto worker = start({{"START", "babbles"}});
  ASSERT_FALSE(worker);
  EXPECT_EQ(worker.error().code, Code::kCorruption);
}

TEST_F(PythonWorkerTest, AnInterpreterThatCannotBeRunShowsWhatTheShellSays) {
  auto options = workers_.options();
  options.python = "/nowhere/python3";
  const auto worker = PythonWorker::start(options, 0, CancelToken());
  ASSERT_FALSE(worker);
  EXPECT_THAT(worker.error().message, HasSubstr("exit status 127"));
  EXPECT_THAT(worker.error().message, HasSubstr("/nowhere/python3"));
}

TEST_F(PythonWorkerTest, ItsDeathShowsStatusAndLastLines) {
  const auto worker = started();
  ASSERT_TRUE(worker);
  const auto answer = ask(*worker, "exit 7");
  ASSERT_FALSE(answer);
  EXPECT_TRUE(worker->died());
  EXPECT_EQ(answer.error().code, Code::kUnavailable);
  EXPECT_THAT(answer.error().message, HasSubstr("exit status 7"));
  EXPECT_THAT(answer.error().message, HasSubstr("killed by a record"));
}

TEST_F(PythonWorkerTest, AReplyThatIsCutIsADeath) {
  const auto worker = started();
  ASSERT_TRUE(worker);
  const auto answer = ask(*worker, "cut");
  ASSERT_FALSE(answer);
  EXPECT_TRUE(worker->died());
  EXPECT_THAT(answer.error().message, HasSubstr("exit status 0"));
}

TEST_F(PythonWorkerTest, SilenceIsNoDeath) {
  const auto worker = started();
  ASSERT_TRUE(worker);
  const auto answer = ask(*worker, "hang", seconds(0));
  ASSERT_FALSE(answer);
  EXPECT_FALSE(worker->died());
  EXPECT_EQ(answer.error().code, Code::kUnavailable);
  EXPECT_EQ(answer.error().message, "no answer within 0 s; the worker was ended");
}

TEST_F(PythonWorkerTest, NeitherProcessNorFolderIsLeft) {
  auto worker = started();
  ASSERT_TRUE(worker);
  const std::string pid = body_of(*worker, "pid");
  const std::string temp = body_of(*worker, "variable TMPDIR");
  EXPECT_TRUE(testing::is_running(pid));
  EXPECT_TRUE(std::filesystem::is_directory(temp)) << temp;
  worker.reset();
  EXPECT_FALSE(testing::is_running(pid));
  EXPECT_FALSE(std::filesystem::exists(temp));
}

}  // namespace
}  // namespace millrace::handler
