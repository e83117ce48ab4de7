// Events reach a webhook that fails now and then, and are given up where it refuses them.
#include "jobs/job_events.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/http_imposter.h"
#include "store/test_folder.h"

namespace millrace::jobs {
namespace {

TransformJobRecord record_of(JobStatus status) {
  TransformJobRecord job;
  job.name = "Nightly";
  job.arn = "arn:aws:sagemaker:eu-west-1:123456789012:transform-job/nightly";
  job.request = R"({"TransformJobName":"Nightly","MaxPayloadInMB":6,"Tags":[]})";
  job.model_name = "m";
  job.status = status;
  job.creation_time = 1700000000.5;
  job.last_modified_time = 1700000001;
  return job;
}

template <class Condition>
bool comes_true(Condition condition) {
  for (int i = 0; i < 2000 && !condition(); ++i) {
    (void)real_clock().sleep(std::chrono::milliseconds(5), CancelToken());
  }
  return condition();
}

TEST(JobEvents, HaveEventBridgesForm) {
  ServiceOptions options;
  options.region = "eu-west-1";
  options.account = "123456789012";
  TransformJobRecord job = record_of(JobStatus::kFailed);
  job.failure_reason = "ClientError: x";
  const auto event = nlohmann::json::parse(job_event(job, {{"team", "a"}}, options).json);
  EXPECT_EQ(event["detail-type"], "SageMaker Transform Job State Change");
  EXPECT_EQ(event["time"], "2023-11-14T22:13:21Z");
  EXPECT_EQ(event["resources"][0], job.arn);
  EXPECT_EQ(event["id"].get<std::string>().size(), 36U);
  const auto& detail = event["detail"];
  EXPECT_EQ(detail["TransformJobStatus"], "Failed");
  EXPECT_EQ(detail["FailureReason"], "ClientError: x");
  EXPECT_EQ(detail["MaxPayloadInMB"], 6);
  EXPECT_EQ(detail["CreationTime"], 1700000000500);
  EXPECT_EQ(detail["Tags"]["team"], "a");
  EXPECT_FALSE(detail.contains("TransformEndTime"));
  // Told twice it is the same event; another state is another.
  EXPECT_EQ(event, nlohmann::json::parse(job_event(job, {{"team", "a"}}, options).json));
  const JobEvent other = job_event(record_of(JobStatus::kInProgress), {}, options);
  EXPECT_NE(event["id"], other.id);
  EXPECT_EQ(nlohmann::json::parse(other.json)["id"], other.id);
}

TEST(JobEvents, AWebhookThatFailsIsAskedAgainAndOneThatRefusesIsNot) {
  std::atomic<int> asked{0};
  HttpImposter hook([&](const HttpImposter::Request& request) {
    HttpImposter::Reply reply;
    if (asked++ == 0) reply.status = 503;
    if (request.body == "refused") reply.status = 400;
    return reply;
  });
  const TestFolder folder;
  const auto sink = EventSink::open(folder / "events", hook.url());
  ASSERT_TRUE(sink) << sink.error().message;
  std::mutex mutex;
  std::vector<std::string> done;
  (*sink)->when_done([&](const std::string& id) {
    const std::lock_guard lock(mutex);
    done.push_back(id);
  });
  (*sink)->emit({"1", "first"});
  ASSERT_TRUE(comes_true([&] { return (*sink)->counts().sent == 2; }));  // the file and the hook
  (*sink)->emit({"2", "refused"});
  ASSERT_TRUE(comes_true([&] { return (*sink)->counts().lost == 1; }));
  EXPECT_EQ(asked, 3);
  const auto requests = hook.requests();
  EXPECT_EQ(requests[0].body, "first");
  EXPECT_EQ(requests[1].body, "first");
  EXPECT_EQ(requests[1].header("content-type"), "application/json");
  EXPECT_EQ(folder.read("events"), "first\nrefused\n");
  EXPECT_TRUE(comes_true([&] {
    const std::lock_guard lock(mutex);
    return done == std::vector<std::string>{"1", "2"};
  }));
}

TEST(JobEvents, WhatAWebhookHasNotTakenIsNotDoneWith) {
  HttpImposter hook([](const HttpImposter::Request&) {
    HttpImposter::Reply reply;
    reply.status = 503;
    return reply;
  });
  std::atomic<int> done{0};
  {
    const auto sink = EventSink::open("", hook.url());
    ASSERT_TRUE(sink) << sink.error().message;
    (*sink)->when_done([&](const std::string&) { ++done; });
    (*sink)->emit({"1", "first"});
    (*sink)->emit({"2", "second"});
    ASSERT_TRUE(comes_true([&] { return !hook.requests().empty(); }));
  }
  EXPECT_EQ(done, 0);
}

TEST(JobEvents, AnEventFileThatCannotBeOpenedIsAnError) {
  EXPECT_FALSE(EventSink::open("/nowhere/at/all", ""));
}

}  // namespace
}  // namespace millrace::jobs
