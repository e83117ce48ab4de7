// The store under what happens to files: reopened, newer, full, and killed at any moment.
#include "jobs/job_store.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <set>
#include <thread>

#include "store/test_folder.h"

namespace millrace::jobs {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

StoredJob job_named(const std::string& name) {
  StoredJob job;
  job.name = name;
  job.request = R"({"TransformJobName":")" + name + R"("})";
  job.model_request = "{}";
  job.created_ms = job.modified_ms = 1700000000123;
  return job;
}

std::unique_ptr<JobStore> open(const std::string& file, JobStore::Contents* contents) {
  *contents = {};
  auto store = JobStore::open(file, contents);
  EXPECT_TRUE(store) << store.error().message;
  return store ? std::move(*store) : nullptr;
}

TEST(JobStore, KeepsWhatWasWrittenAndNothingElse) {
  const TestFolder folder;
  JobStore::Contents contents;
  auto store = open(folder / "db", &contents);
  StoredJob job = job_named("Nightly");
  const auto id = store->insert_job(job, "arn:job", {{"team", "a"}});
  ASSERT_TRUE(id) << id.error().message;
  job.id = *id;
  job.status = JobStatus::kFailed;
  job.failure_reason = "ClientError: caf\xc3\xa9";
  job.started_ms = 1;
  job.ended_ms = 2;
  job.progress.records_done = 1234567890123;
  job.progress.seconds = 1.5;
  ASSERT_TRUE(store->update_job(job));
  const auto gone = store->insert_job(job_named("gone"), "arn:gone", {{"k", "v"}});
  ASSERT_TRUE(store->delete_job(*gone, "arn:gone"));
  ASSERT_TRUE(store->insert_model({0, "m", "{}", 5}, "arn:model", {}));

  store = nullptr;
  store = open(folder / "db", &contents);
  ASSERT_THAT(contents.jobs, SizeIs(1));
  const StoredJob& back = contents.jobs[0];
  EXPECT_EQ(back.id, job.id);
  EXPECT_EQ(back.name, "Nightly");
  EXPECT_EQ(back.request, job.request);
  EXPECT_EQ(back.status, JobStatus::kFailed);
  EXPECT_EQ(back.failure_reason, job.failure_reason);
  EXPECT_EQ(back.created_ms, job.created_ms);
  EXPECT_EQ(back.progress.records_done, 1234567890123U);
  EXPECT_EQ(back.progress.seconds, 1.5);
  ASSERT_THAT(contents.models, SizeIs(1));
  EXPECT_EQ(contents.tags.size(), 1U);
  EXPECT_EQ(contents.tags["arn:job"][0].value, "a");
  // The id of a deleted job is never given again: folders are named by it.
  EXPECT_GT(*store->insert_job(job_named("next"), "arn:next", {}), *gone);
  EXPECT_EQ(*store->model_request_of(job.id), "{}");
}

TEST(JobStore, ANameIsTakenWhateverItsCase) {
  const TestFolder folder;
  JobStore::Contents contents;
  const auto store = open(folder / "db", &contents);
  ASSERT_TRUE(store->insert_job(job_named("abc"), "a", {}));
  EXPECT_EQ(store->insert_job(job_named("ABC"), "a", {}).error().code, Code::kAlreadyExists);
}

TEST(JobStore, OneBadWriteOfManyAtOnceFailsAlone) {
  const TestFolder folder;
  JobStore::Contents contents;
  const auto store = open(folder / "db", &contents);
  ASSERT_TRUE(store->insert_job(job_named("taken"), "a", {}));
  std::vector<std::thread> threads;
  std::atomic<int> stored{0}, refused{0};
  for (int i = 0; i < 32; ++i) {
    threads.emplace_back([&, i] {
      const std::string name = i % 4 == 0 ? "TAKEN" : "job" + std::to_string(i);
      ++(store->insert_job(job_named(name), name, {}) ? stored : refused);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(stored, 24);
  EXPECT_EQ(refused, 8);
}

TEST(JobStore, AFileOfANewerVersionOrNoneOfOursIsRefused) {
  const TestFolder folder;
  JobStore::Contents contents;
  folder.write("text", std::string(5000, 'x'));
  const auto text = JobStore::open(folder / "text", &contents);
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().code, Code::kCorruption);
  ASSERT_NE(open(folder / "db", &contents), nullptr);
  // user_version is the big-endian number at offset 60 of the file.
  std::string bytes = folder.read("db");
  bytes[62] = 1;
  folder.write("newer", bytes);
  const auto newer = JobStore::open(folder / "newer", &contents);
  ASSERT_FALSE(newer);
  EXPECT_THAT(newer.error().message, HasSubstr("newer version"));
}

TEST(JobStore, AFileOfTheFirstVersionIsTakenUp) {
  const TestFolder folder;
  JobStore::Contents contents;
  ASSERT_TRUE(open(folder / "db", &contents)->insert_job(job_named("old"), "a", {}));
  SQLite::Database(folder / "db", SQLite::OPEN_READWRITE)
      .exec("DROP TABLE events; PRAGMA user_version = 1");
  ASSERT_NE(open(folder / "db", &contents), nullptr);
  EXPECT_THAT(contents.jobs, SizeIs(1));
}

TEST(JobStore, EventsStayUntilTheyAreForgotten) {
  const TestFolder folder;
  JobStore::Contents contents;
  auto store = open(folder / "db", &contents);
  StoredJob job = job_named("j");
  job.id = *store->insert_job(job, "a", {}, {"1", "created"});
  ASSERT_TRUE(store->update_job(job, {"2", "ended"}));
  ASSERT_TRUE(store->update_job(job, {"3", "told"}));
  ASSERT_TRUE(store->update_job(job));
  store->forget_event("3");
  store = nullptr;
  store = open(folder / "db", &contents);
  ASSERT_THAT(contents.events, SizeIs(2));
  EXPECT_EQ(contents.events[0].json, "created");
  EXPECT_EQ(contents.events[1].id, "2");
  store->forget_event("1");
  store->forget_event("2");
  store = nullptr;
  store = open(folder / "db", &contents);
  EXPECT_THAT(contents.events, SizeIs(0));
}

TEST(JobStore, ASecondProcessIsKeptOut) {
  const TestFolder folder;
  JobStore::Contents contents;
  const auto store = open(folder / "db", &contents);
  JobStore::Contents other;
  const auto second = JobStore::open(folder / "db", &other);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kUnavailable);
}

// A full disk: what could not be stored is refused whole, what was stored before stays, and once
// there is room all goes on.
TEST(JobStore, AFullDiskRefusesAndLosesNothing) {
  const TestFolder folder;
  JobStore::Contents contents;
  auto store = open(folder / "db", &contents);
  std::set<std::string> stored;
  for (int i = 0; i < 20; ++i) {
    const std::string name = "before" + std::to_string(i);
    ASSERT_TRUE(store->insert_job(job_named(name), name, {}));
    stored.insert(name);
  }
  rlimit old = {};
  ::getrlimit(RLIMIT_FSIZE, &old);
  ::signal(SIGXFSZ, SIG_IGN);
  rlimit small = old;
  small.rlim_cur = 256 * 1024;
  ::setrlimit(RLIMIT_FSIZE, &small);
  StoredJob large = job_named("x");
  large.request = std::string(20000, 'r');
  int refused = 0;
  for (int i = 0; i < 40; ++i) {
    large.name = "during" + std::to_string(i);
    const auto id = store->insert_job(large, large.name, {});
    if (id) {
      stored.insert(large.name);
      continue;
    }
    ++refused;
    EXPECT_EQ(id.error().code, Code::kUnavailable) << id.error().message;
  }
  ::setrlimit(RLIMIT_FSIZE, &old);
  EXPECT_GT(refused, 0);
  const auto after = store->insert_job(job_named("after"), "after", {});
  EXPECT_TRUE(after) << after.error().message;
  stored.insert("after");
  store = nullptr;
  store = open(folder / "db", &contents);
  std::set<std::string> found;
  for (const StoredJob& job : contents.jobs) found.insert(job.name);
  EXPECT_EQ(found, stored);
}

// Run by the next test in a process of its own: writes jobs and says so, until it is killed.
TEST(JobStoreChild, DISABLED_WritesUntilKilled) {
  const char* const file = std::getenv("MILLRACE_TEST_STORE");
  ASSERT_NE(file, nullptr);
  JobStore::Contents contents;
  const auto store = open(file, &contents);
  for (int i = 0;; ++i) {
    const std::string name = "j" + std::to_string(contents.jobs.size()) + "-" + std::to_string(i);
    StoredJob job = job_named(name);
    const auto id = store->insert_job(job, name, {{"k", name}});
    if (!id) ::_exit(1);
    job.id = *id;
    job.status = JobStatus::kCompleted;
    job.ended_ms = 1;
    if (i % 2 == 0 && !store->update_job(job)) ::_exit(1);
    const std::string line = (i % 2 == 0 ? "done " : "made ") + name + "\n";
    if (::write(3, line.data(), line.size()) < 0) ::_exit(1);
  }
}

// What the child is told to have stored before it is killed.
std::vector<std::string> write_and_kill(const std::string& file, int milliseconds) {
  int ends[2];
  EXPECT_EQ(::pipe(ends), 0);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, ends[1], 3);
  ::posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", 1, 0);
  std::string filter = "--gtest_filter=JobStoreChild.*";
  std::string disabled = "--gtest_also_run_disabled_tests";
  std::string program = "/proc/self/exe";
  char* arguments[] = {program.data(), filter.data(), disabled.data(), nullptr};
  std::string variable = "MILLRACE_TEST_STORE=" + file;
  char* environment[] = {variable.data(), nullptr};
  pid_t child = 0;
  EXPECT_EQ(::posix_spawn(&child, "/proc/self/exe", &actions, nullptr, arguments, environment), 0);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  std::string told;
  char block[4096];
  // The clock starts with its first line: a slow start is no kill.
  ssize_t got = ::read(ends[0], block, sizeof block);
  if (got > 0) told.append(block, static_cast<size_t>(got));
  std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
  ::kill(child, SIGKILL);
  while ((got = ::read(ends[0], block, sizeof block)) > 0) {
    told.append(block, static_cast<size_t>(got));
  }
  ::close(ends[0]);
  ::waitpid(child, nullptr, 0);
  std::vector<std::string> lines;
  for (size_t at = 0, end; (end = told.find('\n', at)) != told.npos; at = end + 1) {
    lines.push_back(told.substr(at, end - at));
  }
  return lines;
}

TEST(JobStore, AKillLosesNothingThatWasAcknowledged) {
  const TestFolder folder;
  std::set<std::string> made, done;
  for (int round = 0; round < 10; ++round) {
    for (const std::string& line : write_and_kill(folder / "db", round * 7 % 30)) {
      (line.starts_with("done ") ? done : made).insert(line.substr(5));
    }
  }
  ASSERT_GT(done.size(), 0U);  // how many is a matter of the machine
  JobStore::Contents contents;
  const auto store = open(folder / "db", &contents);
  std::map<std::string, JobStatus> found;
  for (const StoredJob& job : contents.jobs) {
    found[job.name] = job.status;
    EXPECT_EQ(contents.tags.count(job.name), 1U) << job.name;  // whole, or not at all
  }
  for (const std::string& name : made) EXPECT_EQ(found.count(name), 1U) << name;
  for (const std::string& name : done) EXPECT_EQ(found[name], JobStatus::kCompleted) << name;
}

}  // namespace
}  // namespace millrace::jobs
