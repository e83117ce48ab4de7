// The service as a client sees it: names, states, stops, restarts, deletion, logs and tags; with
// models on a loopback server, so that a job runs as long as the test wants.
#include "jobs/job_service.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "jobs/job_store.h"
#include "jobs/service_fixture.h"

namespace millrace::jobs {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;
using testing::StartsWith;

std::vector<std::string> messages(JobService& service, const std::string& stream) {
  std::vector<std::string> out;
  const auto page = service.read_log(stream, LogQuery());
  EXPECT_TRUE(page) << page.error().message;
  if (page) {
    for (const LogEvent& event : page->events) out.push_back(event.message);
  }
  return out;
}

TEST_F(ServiceTest, AJobRunsFromCreateToItsOutputs) {
  EchoModel model;
  images_ = {{"local/echo", model.url()}};
  JobService& service = open();
  add_model("m", "local/echo:1");
  folder_.write("in/a.txt", "one\ntwo\n");
  const auto made = service.create_transform_job(job_request("Nightly-1"));
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->record->status, JobStatus::kInProgress);
  EXPECT_EQ(made->record->arn, "arn:aws:sagemaker:eu-west-1:123456789012:transform-job/nightly-1");

  const JobView view = ended("Nightly-1");
  EXPECT_EQ(view.record->status, JobStatus::kCompleted);
  EXPECT_EQ(view.record->failure_reason, "");
  ASSERT_TRUE(view.record->start_time && view.record->end_time);
  EXPECT_LE(view.record->creation_time, *view.record->start_time);
  EXPECT_LE(*view.record->start_time, *view.record->end_time);
  EXPECT_EQ(view.progress.objects_done, 1U);
  EXPECT_EQ(view.progress.records_done, 2U);
  EXPECT_EQ(folder_.read("out-Nightly-1/a.txt.out"), "one\ntwo\n");
  service.drain();  // the work area goes when the end is stored
  EXPECT_EQ(service.counters().jobs_completed, 1U);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "service/work/1"));
}

TEST_F(ServiceTest, TheApiNeitherInfersAFormatNorSkipsAnObject) {
  EchoModel model;
  images_ = {{"local/echo", model.url()}};
  open();
  add_model("m", "local/echo");
  folder_.write("in/_marker.csv", "x,\"y\n");  // a CSV reader would refuse it
  create("j");
  EXPECT_EQ(ended("j").record->status, JobStatus::kCompleted);
  EXPECT_EQ(folder_.read("out-j/_marker.csv.out"), "x,\"y\n");
}

// As after a kill between the store and the delivery.
TEST_F(ServiceTest, AnEventThatWasNotDeliveredIsToldAtTheNextStart) {
  open();
  service_.reset();
  JobStore::Contents contents;
  {
    const auto store = JobStore::open(folder_ / "service/jobs.sqlite", &contents);
    ASSERT_TRUE(store) << store.error().message;
    StoredJob job;
    job.name = "j";
    job.status = JobStatus::kCompleted;
    ASSERT_TRUE((*store)->insert_job(job, "a", {}, {"id", "told"}));
  }
  open();
  EXPECT_EQ(folder_.read("events"), "told\n");
  open();
  EXPECT_EQ(folder_.read("events"), "told\n");
}

TEST_F(ServiceTest, NamesAreUniqueWithoutCase) {
  EchoModel model;
  images_ = {{"local/echo", model.url()}};
  JobService& service = open();
  add_model("m", "local/echo");
  folder_.write("in/a", "x\n");
  create("Job");
  const auto again = service.create_transform_job(job_request("jOB"));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Code::kAlreadyExists);
  EXPECT_THAT(again.error().message, HasSubstr("already exists (arn:aws:sagemaker:"));
  const auto model_again =
      service.create_model(R"({"ModelName":"M","PrimaryContainer":{"Image":"local/echo"}})");
  ASSERT_FALSE(model_again);
  EXPECT_EQ(model_again.error().code, Code::kAlreadyExists);
  EXPECT_THAT(model_again.error().message, HasSubstr("Cannot create already existing model"));
}

TEST_F(ServiceTest, WhatCannotRunIsRefusedAtCreate) {
  EchoModel model;
  images_ = {{"local/echo", model.url()}};
  JobService& service = open();
  const auto no_model = service.create_transform_job(job_request("j"));
  ASSERT_FALSE(no_model);
  EXPECT_EQ(no_model.error().code, Code::kNotFound);
  EXPECT_EQ(no_model.error().message,
            "Could not find model \"arn:aws:sagemaker:eu-west-1:123456789012:model/m\".");
  add_model("m", "local/echo");
  const auto nothing = service.create_transform_job(job_request("j"));
  ASSERT_FALSE(nothing);
  EXPECT_EQ(nothing.error().code, Code::kInvalidArgument);
  EXPECT_THAT(nothing.error().message, StartsWith("No S3 objects found under S3 URL \""));
  folder_.write("in/a", "x\n");
  const auto wrong =
      service.create_transform_job(job_request("j", R"("Environment":{"MILLRACE_THREADS":"9"},)"));
  ASSERT_FALSE(wrong);
  EXPECT_THAT(wrong.error().message, HasSubstr("MILLRACE_THREADS"));
  EXPECT_FALSE(service.describe_transform_job("j"));
}

TEST_F(ServiceTest, APipelinesContainersAreAskedInOrder) {
  EchoModel first;
  EchoModel second;
  images_ = {{"local/first", first.url()}, {"local/second", second.url()}};
  JobService& service = open();
  const auto made = service.create_model(
      R"({"ModelName":"m","Containers":[{"ContainerHostname":"a","Image":"local/first"},)"
      R"({"ContainerHostname":"b","Image":"local/second","Environment":{"X":"y"}}],)"
      R"("InferenceExecutionConfig":{"Mode":"Serial"}})");
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ((*made)->containers.size(), 2U);
  folder_.write("in/a.txt", "one\ntwo\n");
  create("j");
  const JobView view = ended("j");
  EXPECT_EQ(view.record->status, JobStatus::kCompleted) << view.record->failure_reason;
  EXPECT_EQ(folder_.read("out-j/a.txt.out"), "one\ntwo\n");
  EXPECT_EQ(first.invocations(), 1U);
  EXPECT_EQ(second.invocations(), 1U);
}

TEST_F(ServiceTest, APipelineThatCannotRunIsRefusedWithItsContainer) {
  EchoModel model;
  images_ = {{"local/echo", model.url()}};
  JobService& service = open();
  const auto refusal = [&](const std::string& containers, const std::string& more = "") {
    const auto made =
        service.create_model(R"({"ModelName":"m","Containers":[)" + containers + "]" + more + "}");
    return made ? "made" : made.error().message;
  };
  const std::string echo = R"({"Image":"local/echo"})";
  EXPECT_THAT(refusal(echo + R"(,{"Image":"mine"})"),
              StartsWith("container 2: Image 'mine': no handler of this server fits it"));
  EXPECT_THAT(refusal(R"({"ContainerHostname":"a","Image":"local/echo"},)"
                      R"({"ContainerHostname":"b","Image":"local/echo","Mode":"MultiModel"})"),
              StartsWith("container 2 (b): Mode MultiModel"));
  EXPECT_THAT(refusal(echo + "," + echo, R"(,"InferenceExecutionConfig":{"Mode":"Direct"})"),
              HasSubstr("Mode Direct is not supported"));
  EXPECT_THAT(refusal(echo + R"(,{"ContainerHostname":"b","Image":"local/echo"})"),
              HasSubstr("you must specify one for every container"));
  EXPECT_THAT(
      refusal(echo + R"(,{"Image":"local/echo","Environment":{"MILLRACE_SPLIT_TYPE":"Line"}})"),
      HasSubstr("MILLRACE_SPLIT_TYPE in the Environment of step 2"));
  EXPECT_THAT(
      refusal(echo + R"(,{"Image":"local/echo","Environment":{"MILLRACE_MODEL_COMMAND":"x"}})"),
      HasSubstr("belongs to the machine"));
  std::string sixteen = echo;
  for (int i = 1; i < 16; ++i) sixteen += "," + echo;
  EXPECT_THAT(refusal(sixteen), HasSubstr("at most 15 containers, and these are 16"));
  EXPECT_EQ(refusal(echo), "made");  // one is a model like any other
}

TEST_F(ServiceTest, LocalPathsAreRefusedUnlessTheyAreAllowed) {
  ServiceOptions strict = options();
  strict.allow_local_paths = false;
  const auto service = open_job_service(strict);
  ASSERT_TRUE(service) << service.error().message;
  const std::string aws =
      "763104351884.dkr.ecr.us-east-1.amazonaws.com/huggingface-pytorch-inference:2";
  const auto local =
      (*service)->create_model(R"({"ModelName":"m","PrimaryContainer":{"Image":")" + aws +
                               R"(","ModelDataUrl":"file:///etc/model.tar.gz"}})");
  ASSERT_FALSE(local);
  EXPECT_THAT(local.error().message, HasSubstr("only s3:// locations are allowed"));
  ASSERT_TRUE((*service)->create_model(R"({"ModelName":"m","PrimaryContainer":{"Image":")" + aws +
                                       R"("}})"));
  const auto job = (*service)->create_transform_job(job_request("j"));
  ASSERT_FALSE(job);
  EXPECT_THAT(job.error().message, HasSubstr("only s3:// locations are allowed"));
}

TEST_F(ServiceTest, ARunningJobStopsAndKeepsWhatItCommitted) {
  EchoModel slow(false);
  images_ = {{"local/slow", slow.url()}};
  JobService& service = open();
  add_model("m", "local/slow");
  folder_.write("in/a", "one\n");
  folder_.write("in/b", "quick\n");
  create("j", R"("MaxConcurrentTransforms":2,)");
  slow.wait_for_invocations(2);
  for (int i = 0; i < 2000 && service.describe_transform_job("j")->progress.objects_done < 1; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  ASSERT_TRUE(service.stop_transform_job("j"));
  const auto asked = std::chrono::steady_clock::now();
  EXPECT_EQ(ended("j").record->status, JobStatus::kStopped);
  EXPECT_LT(std::chrono::steady_clock::now() - asked, std::chrono::seconds(5));
  const Status again = service.stop_transform_job("j");
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Code::kInvalidArgument);
  EXPECT_THAT(again.error().message, HasSubstr("already stopped or not running"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out-j/a.out"));
  EXPECT_EQ(folder_.read("out-j/b.out"), "quick\n");

  slow.let_go();
  ASSERT_TRUE(service.resume_transform_job("j"));
  EXPECT_EQ(ended("j").record->status, JobStatus::kCompleted);
  EXPECT_EQ(folder_.read("out-j/a.out"), "one\n");
}

TEST_F(ServiceTest, JobsRunInTheOrderOfCreationAndAWaitingOneStopsAtOnce) {
  EchoModel slow(false);
  images_ = {{"local/slow", slow.url()}};
  JobService& service = open();
  add_model("m", "local/slow");
  folder_.write("in/a", "x\n");
  create("first");
  slow.wait_for_invocations(1);
  create("second");
  create("third");
  EXPECT_TRUE(service.describe_transform_job("second")->progress.queued);
  EXPECT_EQ(service.counters().jobs_queued, 2U);
  ASSERT_TRUE(service.stop_transform_job("second"));
  EXPECT_EQ(status("second"), JobStatus::kStopped);
  EXPECT_EQ(status("third"), JobStatus::kInProgress);
  slow.let_go();
  const JobView first = ended("first");
  const JobView third = ended("third");
  EXPECT_LE(*first.record->end_time, *third.record->end_time);
  EXPECT_EQ(third.record->status, JobStatus::kCompleted);
  EXPECT_FALSE(service.describe_transform_job("second")->record->start_time);
}

TEST_F(ServiceTest, ARestartGoesOnWithWhatHadNotEnded) {
  EchoModel slow(false);
  images_ = {{"local/slow", slow.url()}};
  JobService& service = open();
  add_model("m", "local/slow");
  folder_.write("in/a", "x\n");
  create("running");
  create("waiting");
  slow.wait_for_invocations(1);
  const double created = service.describe_transform_job("running")->record->creation_time;
  service.drain();
  EXPECT_EQ(status("running"), JobStatus::kInProgress);
  const auto late = service.create_transform_job(job_request("late"));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Code::kUnavailable);
  EXPECT_FALSE(service.ready());

  slow.let_go();
  open();
  EXPECT_EQ(ended("running").record->status, JobStatus::kCompleted);
  EXPECT_EQ(ended("waiting").record->status, JobStatus::kCompleted);
  EXPECT_EQ(ended("running").record->creation_time, created);
  open();
  EXPECT_EQ(status("running"), JobStatus::kCompleted);
  EXPECT_EQ(service_->describe_transform_job("running")->progress.records_done, 1U);
}

// While the disk is full no job is taken, and one that has ended ends for its clients when that can
// be stored.
TEST_F(ServiceTest, AFullDiskTakesNoJobAndLosesNoEnd) {
  EchoModel slow(false);
  images_ = {{"local/slow", slow.url()}};
  JobService& service = open();
  add_model("m", "local/slow");
  folder_.write("in/a", "x\n");
  create("j");
  slow.wait_for_invocations(1);
  rlimit old = {};
  ::getrlimit(RLIMIT_FSIZE, &old);
  ::signal(SIGXFSZ, SIG_IGN);
  rlimit small = old;
  small.rlim_cur = 4096;  // the store's file is larger, what the job still writes is not
  ::setrlimit(RLIMIT_FSIZE, &small);
  const auto refused = service.create_transform_job(job_request("late"));
  slow.let_go();
  for (int i = 0; i < 2000 && service.counters().store_errors < 2; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_EQ(status("j"), JobStatus::kInProgress);
  EXPECT_FALSE(service.ready());
  ::setrlimit(RLIMIT_FSIZE, &old);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kUnavailable);
  EXPECT_FALSE(service.describe_transform_job("late"));
  EXPECT_EQ(ended("j").record->status, JobStatus::kCompleted);
  EXPECT_EQ(folder_.read("out-j/a.out"), "x\n");
  EXPECT_TRUE(service.ready());
  create("late");
  EXPECT_EQ(ended("late").record->status, JobStatus::kCompleted);
  EXPECT_EQ(slow.invocations(), 2U);
}

TEST_F(ServiceTest, DeletingAnEndedJobFreesItsName) {
  EchoModel model(false);
  images_ = {{"local/echo", model.url()}};
  JobService& service = open();
  add_model("m", "local/echo");
  folder_.write("in/a", "x\n");
  create("j");
  const Status early = service.delete_transform_job("j");
  ASSERT_FALSE(early);
  EXPECT_EQ(early.error().code, Code::kInvalidArgument);
  model.let_go();
  ended("j");
  ASSERT_TRUE(service.delete_transform_job("J"));
  EXPECT_EQ(service.describe_transform_job("j").error().code, Code::kNotFound);
  EXPECT_TRUE(service.log_streams("j/").empty());
  EXPECT_EQ(folder_.read("out-j/a.out"), "x\n");
  create("j");
  EXPECT_EQ(ended("j").record->status, JobStatus::kCompleted);
  open();
  EXPECT_EQ(status("j"), JobStatus::kCompleted);
}

TEST_F(ServiceTest, AFailureSaysWhyInItsReasonAndItsLog) {
  EchoModel model;
  images_ = {{"local/echo", model.url()}};
  JobService& service = open();
  add_model("m", "local/echo");
  folder_.write("in/good", "x\n");
  folder_.write("in/bad", "poison\n");
  create("j");
  const JobView view = ended("j");
  EXPECT_EQ(view.record->status, JobStatus::kFailed);
  EXPECT_THAT(view.record->failure_reason,
              StartsWith("ClientError: See job logs for more information"));
  EXPECT_THAT(view.record->failure_reason, HasSubstr("in/bad"));
  EXPECT_EQ(folder_.read("out-j/good.out"), "x\n");

  const auto streams = service.log_streams("j/");
  ASSERT_THAT(streams, SizeIs(2));
  EXPECT_EQ(streams[1].name, streams[0].name + "/data-log");
  const auto lines = messages(service, streams[1].name);
  ASSERT_GE(lines.size(), 4U);
  EXPECT_THAT(lines[0], HasSubstr(":[sagemaker logs]: MaxConcurrentTransforms=1, "
                                  "MaxPayloadInMB=6, BatchStrategy=MULTI_RECORD"));
  EXPECT_THAT(lines[1], HasSubstr("accepted without effect: TransformResources.InstanceType="
                                  "ml.m5.large, TransformResources.InstanceCount=1; the job"));
  EXPECT_THAT(lines, testing::Contains(testing::EndsWith("in/bad: ClientError: 400")));
  EXPECT_THAT(lines, testing::Contains(testing::EndsWith("in/bad: Message:")));
  EXPECT_THAT(lines, testing::Contains(testing::EndsWith("in/bad: this record")));

  const auto objects = service.list_objects("j", ObjectQuery());
  ASSERT_TRUE(objects);
  EXPECT_THAT(objects->records, SizeIs(2));
  ObjectQuery failed;
  failed.only_failed = true;
  const auto bad = service.list_objects("j", failed);
  ASSERT_TRUE(bad);
  ASSERT_THAT(bad->records, SizeIs(1));
  EXPECT_THAT(bad->records[0].input, testing::EndsWith("in/bad"));
}

TEST_F(ServiceTest, LogStreamsAreFoundByWholeAndPartialNames) {
  EchoModel model;
  images_ = {{"local/echo", model.url()}};
  JobService& service = open();
  add_model("m", "local/echo");
  folder_.write("in/a", "x\n");
  for (const char* name : {"job", "job-2", "Other"}) {
    create(name);
    ended(name);
  }
  EXPECT_THAT(service.log_streams("job/"), SizeIs(2));
  EXPECT_THAT(service.log_streams("job"), SizeIs(4));
  EXPECT_THAT(service.log_streams(""), SizeIs(6));
  EXPECT_THAT(service.log_streams("nothing/"), SizeIs(0));
  const auto first = service.log_streams("", "", 3);
  ASSERT_THAT(first, SizeIs(3));
  const auto rest = service.log_streams("", first.back().name);
  EXPECT_THAT(rest, SizeIs(3));
  EXPECT_FALSE(service.read_log("job/millrace-1/../x", LogQuery()));
}

TEST_F(ServiceTest, TagsAreKeptWithTheirResource) {
  EchoModel model;
  images_ = {{"local/echo", model.url()}};
  JobService& service = open();
  const auto made =
      service.create_model(R"({"ModelName":"m","PrimaryContainer":{"Image":"local/echo"},)"
                           R"("Tags":[{"Key":"team","Value":"a"}]})");
  ASSERT_TRUE(made);
  const std::string arn = (*made)->arn;
  const auto merged = service.add_tags(arn, {{"team", "b"}, {"cost", "1"}});
  ASSERT_TRUE(merged);
  ASSERT_THAT(*merged, SizeIs(2));
  EXPECT_EQ((*merged)[0].value, "b");
  ASSERT_TRUE(service.delete_tags(arn, {"cost", "other"}));
  open();
  const auto kept = service_->list_tags(arn);
  ASSERT_TRUE(kept);
  ASSERT_THAT(*kept, SizeIs(1));
  EXPECT_EQ((*kept)[0].key, "team");
  std::vector<Tag> many;
  for (int i = 0; i < 50; ++i) many.push_back({std::to_string(i), ""});
  EXPECT_EQ(service_->add_tags(arn, many).error().code, Code::kInvalidArgument);
  ASSERT_TRUE(service_->delete_model("m"));
  EXPECT_EQ(service_->list_tags(arn).error().code, Code::kNotFound);
}

TEST_F(ServiceTest, EachChangeOfStateIsAnEvent) {
  EchoModel model;
  images_ = {{"local/echo", model.url()}};
  open();
  add_model("m", "local/echo");
  folder_.write("in/a", "x\n");
  create("j", R"("Tags":[{"Key":"team","Value":"a"}],)");
  ended("j");
  service_.reset();  // the event follows the state
  std::ifstream in(folder_ / "events");
  std::vector<std::string> states;
  for (std::string line; std::getline(in, line);) {
    const auto event = nlohmann::json::parse(line);
    EXPECT_EQ(event["source"], "aws.sagemaker");
    EXPECT_EQ(event["detail-type"], "SageMaker Transform Job State Change");
    EXPECT_EQ(event["detail"]["TransformJobName"], "j");
    EXPECT_EQ(event["detail"]["Tags"]["team"], "a");
    states.push_back(event["detail"]["TransformJobStatus"]);
  }
  EXPECT_THAT(states, ElementsAre("InProgress", "Completed"));
}

TEST_F(ServiceTest, TheOldestEndedJobsAreForgottenBeyondTheBound) {
  EchoModel model;
  images_ = {{"local/echo", model.url()}};
  ServiceOptions few = options();
  few.jobs_kept = 2;
  auto opened = open_job_service(few);
  ASSERT_TRUE(opened);
  service_ = std::move(*opened);
  add_model("m", "local/echo");
  folder_.write("in/a", "x\n");
  for (const char* name : {"a", "b", "c"}) {
    create(name);
    ended(name);
  }
  EXPECT_FALSE(service_->describe_transform_job("a"));
  EXPECT_TRUE(service_->describe_transform_job("b"));
  EXPECT_TRUE(service_->describe_transform_job("c"));
}

TEST_F(ServiceTest, ANativeModelStaysLoadedBetweenJobs) {
  images_ = {{"sst2", "native"}};
  ServiceOptions native = options();
  native.shipped_model_folders = {std::string(MILLRACE_SOURCE_DIR) + "/models"};
  auto opened = open_job_service(native);
  ASSERT_TRUE(opened);
  service_ = std::move(*opened);
  add_model("m", "sst2");
  folder_.write("in/a.txt", "a fine film\n");
  create("one");
  ASSERT_EQ(ended("one").record->status, JobStatus::kCompleted)
      << ended("one").record->failure_reason;
  create("two");
  ASSERT_EQ(ended("two").record->status, JobStatus::kCompleted);
  EXPECT_EQ(folder_.read("out-one/a.txt.out"), folder_.read("out-two/a.txt.out"));
  EXPECT_NE(folder_.read("out-one/a.txt.out"), "");
  // From create to the first inference of the second job, as its log tells.
  const auto lines = messages(*service_, service_->log_streams("two/").at(1).name);
  ASSERT_FALSE(lines.empty());
  EXPECT_THAT(lines.back(), HasSubstr("first inference 0."));
  RecordProperty("log", lines.back());
  const ServiceCounters counters = service_->counters();
  EXPECT_EQ(counters.model_loads, 1U);
  EXPECT_EQ(counters.model_hits, 1U);
  EXPECT_GT(counters.model_bytes, 0U);
}

}  // namespace
}  // namespace millrace::jobs
