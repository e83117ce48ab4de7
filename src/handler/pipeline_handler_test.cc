// The pipeline over handlers of which every request is known: what goes from step to step, which
// record an error belongs to, and what the steps are together.
#include "handler/pipeline_handler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace millrace::handler {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using Answer = std::function<Result<InvokeReply>(const InvokeRequest&)>;

// Answers in the caller's thread and keeps what it was asked.
class ScriptedHandler final : public InferenceHandler {
 public:
  explicit ScriptedHandler(Answer answer, HandlerTraits traits = {})
      : answer_(std::move(answer)), traits_(std::move(traits)) {}

  const HandlerTraits& traits() const override { return traits_; }
  std::future<Result<InvokeReply>> invoke(InvokeRequest request) override {
    {
      const std::lock_guard lock(mutex_);
      seen_.push_back(request);
    }
    std::promise<Result<InvokeReply>> promise;
    promise.set_value(answer_(request));
    return promise.get_future();
  }
  std::vector<std::string> notices() const override { return {"noticed"}; }

  std::vector<InvokeRequest> seen() const {
    const std::lock_guard lock(mutex_);
    return seen_;
  }

 private:
  const Answer answer_;
  const HandlerTraits traits_;
  mutable std::mutex mutex_;
  std::vector<InvokeRequest> seen_;
};

// As a container does: a body, of whose records nothing is known.
Answer bodies(const std::string& content_type, std::function<std::string(std::string)> change) {
  return [=](const InvokeRequest& request) -> Result<InvokeReply> {
    InvokeReply reply;
    reply.content_type = content_type;
    reply.body = change(request.body);
    ++reply.counts.rows;
    return reply;
  };
}

// As the native model does: a reply for each record of the request, and refusals of single ones.
Answer records(const std::string& content_type, const std::string& mark) {
  return [=](const InvokeRequest& request) -> Result<InvokeReply> {
    InvokeReply reply;
    reply.content_type = content_type;
    for (uint32_t i = 0; i < request.records.size(); ++i) {
      const RecordSpan span = request.records[i];
      const std::string text = request.body.substr(span.offset, span.length);
      if (text.find("bad-" + mark) != std::string::npos) {
        reply.errors.push_back({i, mark + " refuses it"});
        reply.records.push_back({static_cast<uint32_t>(reply.body.size()), 0});
        continue;
      }
      if (!reply.body.empty()) reply.body += '\n';
      const std::string answer = mark + "(" + text + ")";
      reply.records.push_back(
          {static_cast<uint32_t>(reply.body.size()), static_cast<uint32_t>(answer.size())});
      reply.body += answer;
    }
    return reply;
  };
}

InvokeRequest lines(const std::vector<std::string>& texts) {
  InvokeRequest request;
  request.content_type = "text/plain";
  request.accept = "application/json";
  request.object_name = "bucket/key";
  for (const std::string& text : texts) {
    request.records.push_back(
        {static_cast<uint32_t>(request.body.size()), static_cast<uint32_t>(text.size())});
    request.body += text + "\n";
  }
  return request;
}

struct Made {
  std::unique_ptr<InferenceHandler> pipeline;
  std::vector<ScriptedHandler*> steps;

  Result<InvokeReply> ask(InvokeRequest request) const {
    return pipeline->invoke(std::move(request)).get();
  }
};

Made make(std::vector<std::pair<Answer, HandlerTraits>> steps) {
  Made made;
  PipelineHandlerOptions options;
  for (auto& [answer, traits] : steps) {
    auto handler = std::make_unique<ScriptedHandler>(std::move(answer), std::move(traits));
    made.steps.push_back(handler.get());
    options.steps.push_back(
        {"step " + std::to_string(options.steps.size() + 1) + " (x)", std::move(handler)});
  }
  made.pipeline = make_pipeline_handler(std::move(options));
  return made;
}

std::string result(const InvokeReply& reply, size_t record) {
  return reply.body.substr(reply.records[record].offset, reply.records[record].length);
}

TEST(PipelineHandler, ARepliesTypeIsTheNextRequestsAndAcceptGoesToTheLast) {
  const auto add = [](const char* what) { return [=](std::string s) { return s + what; }; };
  const Made made = make({{bodies("text/csv", add("1")), {}},
                          {bodies("application/json", add("2")), {}},
                          {bodies("application/x-mine", add("3")), {}}});
  InvokeRequest request = lines({"a"});
  request.text_column = 3;
  request.csv_delimiter = ';';
  request.job = "job";
  const auto reply = made.ask(request);
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->body, "a\n123");
  EXPECT_EQ(reply->content_type, "application/x-mine");
  EXPECT_EQ(reply->counts.rows, 3U);
  std::vector<std::string> types;
  std::vector<std::string> accepts;
  for (const ScriptedHandler* step : made.steps) {
    ASSERT_THAT(step->seen(), SizeIs(1));
    const InvokeRequest seen = step->seen().front();
    types.push_back(seen.content_type);
    accepts.push_back(seen.accept);
    EXPECT_EQ(seen.object_name, "bucket/key");
    EXPECT_EQ(seen.csv_delimiter, ';');
    EXPECT_EQ(seen.job, "job");
    EXPECT_EQ(seen.text_column.has_value(), step == made.steps.front());
  }
  EXPECT_THAT(types, ElementsAre("text/plain", "text/csv", "application/json"));
  EXPECT_THAT(accepts, ElementsAre("", "", "application/json"));
}

TEST(PipelineHandler, RecordsStayTheSameRecordsFromStepToStep) {
  const auto upper = [](std::string s) {
    for (char& c : s) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return s;
  };
  const Made made = make({{records("text/plain", "first"), {}},
                          {bodies("text/plain", upper), {}},
                          {records("text/plain", "last"), {}}});
  const auto reply = made.ask(lines({"a", "b", "c"}));
  ASSERT_TRUE(reply) << reply.error().message;
  ASSERT_THAT(reply->records, SizeIs(3));
  EXPECT_EQ(result(*reply, 0), "last(FIRST(A))");
  EXPECT_EQ(result(*reply, 2), "last(FIRST(C))");
}

TEST(PipelineHandler, ARecordThatIsAWholeObjectIsOneForEveryStep) {
  const Made made =
      make({{bodies("text/plain", [](std::string s) { return s + "two\nthree\n"; }), {}},
            {records("text/plain", "last"), {}}});
  ASSERT_TRUE(made.ask(lines({"one"})));
  EXPECT_THAT(made.steps[1]->seen().front().records, ElementsAre(RecordSpan{0, 14}));
}

TEST(PipelineHandler, ARefusedRecordGoesNoFurtherAndTheOthersKeepTheirPlaces) {
  const Made made = make({{records("text/plain", "first"), {}},
                          {bodies("text/plain", [](std::string s) { return s; }), {}},
                          {records("text/plain", "last"), {}}});
  const auto reply = made.ask(lines({"bad-last", "a", "bad-first", "b"}));
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(made.steps[1]->seen().front().body, "first(bad-last)\nfirst(a)\nfirst(b)");
  ASSERT_THAT(reply->errors, SizeIs(2));
  EXPECT_EQ(reply->errors[0].record, 0U);
  EXPECT_EQ(reply->errors[0].message, "step 3 (x): last refuses it");
  EXPECT_EQ(reply->errors[1].record, 2U);
  EXPECT_EQ(reply->errors[1].message, "step 1 (x): first refuses it");
  ASSERT_THAT(reply->records, SizeIs(4));
  EXPECT_EQ(result(*reply, 1), "last(first(a))");
  EXPECT_EQ(result(*reply, 2), "");
  EXPECT_EQ(result(*reply, 3), "last(first(b))");
}

TEST(PipelineHandler, WhereRecordsWereRefusedTheLastRepliesAreToldApart) {
  const Made made = make({{records("text/plain", "first"), {}},
                          {bodies("text/plain", [](std::string s) { return s + "\n"; }), {}}});
  const auto reply = made.ask(lines({"a", "bad-first", "b"}));
  ASSERT_TRUE(reply) << reply.error().message;
  ASSERT_THAT(reply->records, SizeIs(3));
  EXPECT_EQ(result(*reply, 0), "first(a)");
  EXPECT_EQ(result(*reply, 2), "first(b)");

  const Made short_reply = make({{records("text/plain", "first"), {}},
                                 {bodies("text/plain", [](const auto&) { return "one"; }), {}}});
  const auto refused = short_reply.ask(lines({"a", "bad-first", "b"}));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kBadInput);
  EXPECT_THAT(refused.error().message, HasSubstr("step 2 (x): "));
}

TEST(PipelineHandler, WhereAllRecordsAreRefusedTheNextStepIsNotAsked) {
  const Made made =
      make({{records("text/plain", "first"), {}}, {records("text/plain", "last"), {}}});
  const auto reply = made.ask(lines({"bad-first", "bad-first"}));
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_THAT(reply->errors, SizeIs(2));
  EXPECT_THAT(reply->records, SizeIs(2));
  EXPECT_THAT(made.steps[1]->seen(), IsEmpty());
}

TEST(PipelineHandler, AStepThatDropsRecordsLeavesNothingKnownOfSingleOnes) {
  const Made made = make({{bodies("text/plain", [](const auto&) { return "only this"; }), {}},
                          {bodies("text/plain", [](std::string s) { return s; }), {}}});
  const auto reply = made.ask(lines({"a", "b", "c"}));
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->body, "only this");
  EXPECT_THAT(reply->records, IsEmpty());
  EXPECT_THAT(made.steps[1]->seen().front().records, IsEmpty());
}

TEST(PipelineHandler, AnErrorKeepsItsKindAndNamesTheStep) {
  for (const Code code : {Code::kBadInput, Code::kInternal}) {
    const Answer failing = [code](const InvokeRequest&) -> Result<InvokeReply> {
      return fail(Error{code, "ClientError: 400: no"});
    };
    const Made made = make({{bodies("text/plain", [](std::string s) { return s; }), {}},
                            {failing, {}},
                            {records("text/plain", "last"), {}}});
    const auto reply = made.ask(lines({"a", "b"}));
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().code, code);
    EXPECT_EQ(reply.error().message, "step 2 (x): ClientError: 400: no");
    EXPECT_THAT(made.steps[2]->seen(), IsEmpty());
  }
}

TEST(PipelineHandler, ACancelledRequestAsksNoFurtherStep) {
  InvokeRequest request = lines({"a"});
  const CancelToken cancel = request.cancel;
  const Answer cancelling = [cancel](const InvokeRequest&) -> Result<InvokeReply> {
    cancel.cancel();
    return InvokeReply();
  };
  const Made made = make({{cancelling, {}}, {records("text/plain", "last"), {}}});
  const auto reply = made.ask(request);
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, Code::kCancelled);
  EXPECT_THAT(made.steps[1]->seen(), IsEmpty());
}

TEST(PipelineHandler, IsAsMuchAsAllItsStepsAre) {
  HandlerTraits native;
  native.max_concurrent_transforms = 64;
  native.reads_records_alone = true;
  native.result_columns = {"predicted_label", "predicted_score"};
  native.result_shape = ResultShape::kLabelled;
  native.identity = "native";
  HandlerTraits python;
  python.max_concurrent_transforms = 4;
  python.max_payload_in_mb = 2;
  python.batch_strategy = record::BatchStrategy::kSingleRecord;
  python.identity = "python";
  const Answer any = records("text/plain", "x");

  const Made mixed = make({{any, python}, {any, native}});
  const HandlerTraits& traits = mixed.pipeline->traits();
  EXPECT_EQ(traits.max_concurrent_transforms, 4U);
  EXPECT_EQ(traits.max_payload_in_mb, 2U);
  EXPECT_EQ(traits.batch_strategy, record::BatchStrategy::kSingleRecord);
  EXPECT_FALSE(traits.reads_records_alone);
  EXPECT_FALSE(traits.streams);
  EXPECT_EQ(traits.result_columns, native.result_columns);
  EXPECT_EQ(traits.result_shape, ResultShape::kLabelled);

  EXPECT_TRUE(make({{any, native}, {any, native}}).pipeline->traits().reads_records_alone);
  const auto identity = [&](const HandlerTraits& a, const HandlerTraits& b) {
    return make({{any, a}, {any, b}}).pipeline->traits().identity;
  };
  EXPECT_NE(identity(python, native), identity(native, python));
  EXPECT_EQ(identity(python, native), identity(python, native));
  EXPECT_EQ(identity(native, HandlerTraits()), "");  // nothing is known of one of them
  EXPECT_EQ(make({{any, native}, {any, {}}}).pipeline->traits().max_concurrent_transforms,
            std::nullopt);
  EXPECT_THAT(mixed.pipeline->notices(), ElementsAre("step 1 (x): noticed", "step 2 (x): noticed"));
}

// Two requests meet in the second step: neither waits for the other to leave the pipeline.
TEST(PipelineHandler, RequestsAreInDifferentStepsAtOneTime) {
  std::mutex mutex;
  std::condition_variable changed;
  int here = 0;
  const Answer meet = [&](const InvokeRequest&) -> Result<InvokeReply> {
    std::unique_lock lock(mutex);
    ++here;
    changed.notify_all();
    const bool met = changed.wait_for(lock, std::chrono::seconds(20), [&] { return here == 2; });
    InvokeReply reply;
    reply.body = met ? "met" : "alone";
    return reply;
  };
  HandlerTraits two;
  two.max_concurrent_transforms = 2;
  const Made made =
      make({{bodies("text/plain", [](std::string s) { return s; }), two}, {meet, two}});
  auto first = made.pipeline->invoke(lines({"a"}));
  auto second = made.pipeline->invoke(lines({"b"}));
  EXPECT_EQ(first.get()->body, "met");
  EXPECT_EQ(second.get()->body, "met");
}

TEST(PipelineHandler, WhatIsAskedIsAnsweredBeforeItGoes) {
  const Answer slow = [](const InvokeRequest&) -> Result<InvokeReply> {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    return InvokeReply();
  };
  std::vector<std::future<Result<InvokeReply>>> replies;
  {
    const Made made = make({{slow, {}}, {records("text/plain", "last"), {}}});
    for (int i = 0; i < 3; ++i) replies.push_back(made.pipeline->invoke(lines({"a"})));
  }
  for (auto& reply : replies) EXPECT_TRUE(reply.get());
}

}  // namespace
}  // namespace millrace::handler
