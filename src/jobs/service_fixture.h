// For tests: a job service on a folder of its own, with a model server whose answers the test
// decides, and files in place of S3.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "base/http_imposter.h"
#include "jobs/job_service.h"
#include "store/test_folder.h"

namespace millrace::jobs {

// A model server that answers every invocation with its body, once it may: those with "quick" in
// them at once.
class EchoModel {
 public:
  explicit EchoModel(bool open = true)
      : open_(open), server_([this](const HttpImposter::Request& r) { return answer(r); }) {}
  ~EchoModel() { let_go(); }

  void let_go() {
    {
      const std::lock_guard lock(mutex_);
      open_ = true;
    }
    changed_.notify_all();
  }
  void wait_for_invocations(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(20), [&] { return invocations_ >= count; });
    EXPECT_GE(invocations_, count);
  }
  size_t invocations() {
    const std::lock_guard lock(mutex_);
    return invocations_;
  }
  std::string url() const { return server_.url(); }

 private:
  HttpImposter::Reply answer(const HttpImposter::Request& request) {
    HttpImposter::Reply reply;
    if (request.path() == "/ping") return reply;
    if (request.path() != "/invocations") {
      reply.status = 404;
      return reply;
    }
    {
      const std::lock_guard lock(mutex_);
      ++invocations_;
    }
    changed_.notify_all();
    if (request.body.find("quick") == std::string::npos) {
      reply.hold = [this] {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return open_; });
      };
    }
    if (request.body.find("poison") != std::string::npos) {
      reply.status = 400;
      reply.body = "I refuse\nthis record";
      return reply;
    }
    reply.body = request.body;
    return reply;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_;
  size_t invocations_ = 0;
  HttpImposter server_;
};

class ServiceTest : public testing::Test {
 protected:
  ServiceTest() { ::mkdir((folder_ / "in").c_str(), 0700); }

  ServiceOptions options() const {
    ServiceOptions options;
    options.folder = folder_ / "service";
    options.region = "eu-west-1";
    options.account = "123456789012";
    options.allow_local_paths = true;
    options.environment = {{"HOME", folder_.path()}};
    options.images = images_;
    options.running_max = running_max_;
    options.event_file = folder_ / "events";
    return options;
  }

  // Opens (again) the service on the folder.
  JobService& open() {
    service_.reset();
    Result<std::unique_ptr<JobService>> opened = open_job_service(options());
    EXPECT_TRUE(opened) << opened.error().message;
    service_ = std::move(*opened);
    return *service_;
  }

  // A model that `server` answers for.
  void add_model(const std::string& name, const std::string& image) {
    const auto made = service_->create_model(
        R"({"ModelName":")" + name + R"(","PrimaryContainer":{"Image":")" + image + R"("}})");
    EXPECT_TRUE(made) << made.error().message;
  }

  std::string job_request(const std::string& name, const std::string& more = "") const {
    return R"({"TransformJobName":")" + name + R"(","ModelName":"m",)" + more +
           R"("TransformInput":{"DataSource":{"S3DataSource":{"S3DataType":"S3Prefix","S3Uri":")" +
           (folder_ / "in") + R"("}},"ContentType":"text/plain","SplitType":"Line"},)" +
           R"("TransformOutput":{"S3OutputPath":")" + (folder_ / "out-") + name +
           R"(","AssembleWith":"Line"},)" +
           R"("TransformResources":{"InstanceType":"ml.m5.large","InstanceCount":1}})";
  }

  void create(const std::string& name, const std::string& more = "") {
    const auto made = service_->create_transform_job(job_request(name, more));
    ASSERT_TRUE(made) << made.error().message;
  }

  JobStatus status(const std::string& name) const {
    const auto view = service_->describe_transform_job(name);
    EXPECT_TRUE(view) << view.error().message;
    return view ? view->record->status : JobStatus::kFailed;
  }

  // The job when it has ended.
  JobView ended(const std::string& name) const {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    for (;;) {
      auto view = service_->describe_transform_job(name);
      EXPECT_TRUE(view) << view.error().message;
      if (!view || is_terminal(view->record->status)) return view ? *view : JobView();
      if (std::chrono::steady_clock::now() > deadline) {
        ADD_FAILURE() << name << " did not end";
        return *view;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }

  TestFolder folder_;
  std::map<std::string, std::string> images_;
  int running_max_ = 1;
  std::unique_ptr<JobService> service_;
};

}  // namespace millrace::jobs
