// The handler over its workers: how many, what is tried again, and who is blamed for a death.
#include "handler/python_handler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "handler/python_fixture.h"

namespace millrace::handler {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;
using Variables = std::map<std::string, std::string>;

InvokeRequest request_of(std::string body, const CancelToken& cancel = CancelToken()) {
  InvokeRequest request;
  request.body = std::move(body);
  request.cancel = cancel;
  return request;
}

class PythonHandlerTest : public ::testing::Test {
 protected:
  PythonHandlerOptions options(Variables variables = {}) {
    PythonHandlerOptions out;
    out.worker = workers_.options(std::move(variables));
    out.identity = "what it is";
    return out;
  }

  static std::unique_ptr<InferenceHandler> made(PythonHandlerOptions options) {
    auto handler = make_python_handler(std::move(options), CancelToken());
    EXPECT_TRUE(handler) << handler.error().message;
    return handler ? std::move(*handler) : nullptr;
  }

  // How many workers there would be of eight, for a free memory.
  uint32_t workers_with(uint64_t free) {
    auto given = options({{"MEMORY", "1000"}});
    given.workers_max = 8;
    given.free_memory = [free] { return free; };
    return made(std::move(given))->traits().max_concurrent_transforms.value_or(0);
  }

  static Result<InvokeReply> ask(InferenceHandler& handler, std::string body) {
    return handler.invoke(request_of(std::move(body))).get();
  }

  testing::PythonWorkers workers_;
};

TEST_F(PythonHandlerTest, WhatTheCodeSaysOfItselfIsWhatTheJobSees) {
  const auto handler = made(
      options({{"PARAMETERS", R"({"MaxConcurrentTransforms":3,"BatchStrategy":"SINGLE_RECORD",)"
                              R"("MaxPayloadInMB":"much"})"}}));
  ASSERT_TRUE(handler);
  EXPECT_EQ(handler->traits().max_concurrent_transforms, 3u);
  EXPECT_EQ(handler->traits().batch_strategy, record::BatchStrategy::kSingleRecord);
  EXPECT_EQ(handler->traits().max_payload_in_mb, std::nullopt);
  EXPECT_EQ(handler->traits().identity, "what it is");
  EXPECT_EQ(workers_.logged("execution_parameters_fn: MaxPayloadInMB"), 1u);
}

TEST_F(PythonHandlerTest, ThereAreAsManyWorkersAsFitIntoMemory) {
  EXPECT_EQ(workers_with(0), 8u);  // not known
  EXPECT_EQ(workers_with(999), 1u);
  EXPECT_EQ(workers_with(2500), 3u);
  EXPECT_EQ(workers_with(1'000'000), 8u);
  EXPECT_EQ(workers_.logged("workers: 3 of 8, as many as fit into memory"), 1u);
}

TEST_F(PythonHandlerTest, NoMoreWorkersThanTheJobWantsAtATime) {
  auto given = options();
  given.workers_max = 8;
  given.max_concurrent_transforms = 2;
  EXPECT_EQ(made(std::move(given))->traits().max_concurrent_transforms, 2u);
}

TEST_F(PythonHandlerTest, WorkersAnswerAtTheSameTime) {
  auto given = options();
  given.workers_max = 2;
  const auto handler = made(std::move(given));
  ASSERT_TRUE(handler);
  const std::string path = workers_.path("made").string();
  auto waiting = handler->invoke(request_of("wait " + path));
  EXPECT_TRUE(ask(*handler, "make " + path));  // by another than the one that waits
  EXPECT_TRUE(waiting.get());
}

TEST_F(PythonHandlerTest, AnAnswerOf4xxIsARefusalAndNotRepeated) {
  auto handler = made(options());
  ASSERT_TRUE(handler);
  const auto reply = ask(*handler, "status 422 no fives");
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, Code::kBadInput);
  EXPECT_EQ(reply.error().message, "ClientError: 422: no fives");
  handler.reset();  // with it the last line of its log is there
  EXPECT_EQ(workers_.logged("status"), 1u);
}

TEST_F(PythonHandlerTest, AnotherStatusIsTriedAgainAsOftenAsTheJobSays) {
  auto given = options();
  given.invocation_retries = 2;
  auto handler = made(std::move(given));
  ASSERT_TRUE(handler);
  const auto reply = ask(*handler, "status 500 boom");
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, Code::kInternal);
  EXPECT_THAT(reply.error().message, HasSubstr("500: boom (after 3 attempts)"));
  handler.reset();
  EXPECT_EQ(workers_.logged("status"), 3u);
}

TEST_F(PythonHandlerTest, ARequestThatIsNotAnsweredInTimeIsTriedOnANewWorker) {
  auto given = options();
  given.invocation_timeout = seconds(0);
  given.invocation_retries = 1;
  const auto handler = made(std::move(given));
  ASSERT_TRUE(handler);
  const auto reply = ask(*handler, "hang");
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, Code::kInternal);
  EXPECT_EQ(reply.error().message, "no answer within 0 s; the worker was ended (after 2 attempts)");
}

TEST_F(PythonHandlerTest, ADeathIsForgivenOnce) {
  const auto handler = made(options());
  ASSERT_TRUE(handler);
  const auto reply = ask(*handler, "asks " + workers_.path("seen").string());
  ASSERT_TRUE(reply) << reply.error().message;
}

TEST_F(PythonHandlerTest, ARequestThatKillsTwoWorkersIsRefusedAndOthersGoOn) {
  const auto handler = made(options());
  ASSERT_TRUE(handler);
  const auto reply = ask(*handler, "exit 7");
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, Code::kBadInput);
  EXPECT_THAT(reply.error().message, HasSubstr("and so did the next one"));
  EXPECT_THAT(reply.error().message, HasSubstr("exit status 7"));
  EXPECT_THAT(reply.error().message, HasSubstr("killed by a record"));
  const auto next = ask(*handler, "the next");
  ASSERT_TRUE(next) << next.error().message;
  EXPECT_EQ(next->body, "the next");
}

TEST_F(PythonHandlerTest, AModelThatOnlyEverDiesIsGivenUp) {
  auto given = options();
  given.worker.python = workers_.dying();
  const auto handler = made(std::move(given));
  ASSERT_TRUE(handler);
  Error last;
  for (int deaths = 0; deaths < limits::kWorkerDeathsMax; deaths += 2) {
    const auto reply = ask(*handler, "anything");
    ASSERT_FALSE(reply);
    last = reply.error();
    EXPECT_EQ(last.code == Code::kInternal, deaths + 2 >= limits::kWorkerDeathsMax) << deaths;
  }
  EXPECT_THAT(last.message, HasSubstr("the model only ever ends"));
}

TEST_F(PythonHandlerTest, WhatNobodyWaitsForIsNotAsked) {
  auto handler = made(options());
  ASSERT_TRUE(handler);
  const CancelToken cancel;
  cancel.cancel();
  const auto reply = handler->invoke(request_of("status 200 asked", cancel)).get();
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, Code::kCancelled);
  handler.reset();
  EXPECT_EQ(workers_.logged("status"), 0u);
}

TEST_F(PythonHandlerTest, NothingIsLeftOfItsWorkers) {
  auto handler = made(options());
  ASSERT_TRUE(handler);
  const std::string pid = ask(*handler, "pid")->body;
  EXPECT_TRUE(testing::is_running(pid));
  handler.reset();
  EXPECT_FALSE(testing::is_running(pid));
}

TEST_F(PythonHandlerTest, CodeThatCannotBeLoadedMakesNoHandler) {
  const auto handler = make_python_handler(options({{"START", "fails"}}), CancelToken());
  ASSERT_FALSE(handler);
  EXPECT_EQ(handler.error().code, Code::kInvalidArgument);
}

}  // namespace
}  // namespace millrace::handler
