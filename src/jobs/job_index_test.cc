// Pages of the index: complete and without repetition whatever happens between them, and quick
// among 100,000 jobs.
#include "jobs/job_index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <set>

namespace millrace::jobs {
namespace {

using testing::ElementsAre;

IndexedJob job_of(int64_t id, const std::string& name, int64_t created_ms,
                  JobStatus status = JobStatus::kCompleted) {
  IndexedJob job;
  job.stored.id = id;
  job.stored.name = name;
  job.stored.created_ms = created_ms;
  job.stored.status = status;
  TransformJobRecord record;
  record.name = name;
  record.status = status;
  record.creation_time = static_cast<double>(created_ms) / 1000;
  record.last_modified_time = record.creation_time + 1;
  job.record = std::make_shared<const TransformJobRecord>(record);
  return job;
}

std::vector<std::string> names_of(const Page<JobPtr>& page) {
  std::vector<std::string> names;
  for (const JobPtr& job : page.records) names.push_back(job->name);
  return names;
}

std::vector<std::string> list(const JobIndex& index, ListQuery query) {
  std::vector<std::string> names;
  for (;;) {
    const auto page = list_jobs(index, query);
    EXPECT_TRUE(page) << page.error().message;
    if (!page) return names;
    for (const auto& name : names_of(*page)) names.push_back(name);
    if (page->next_token.empty()) return names;
    EXPECT_EQ(page->records.size(), query.results_max);
    query.next_token = page->next_token;
  }
}

JobIndex small_index() {
  JobIndex index;
  index.insert(job_of(1, "b", 1000, JobStatus::kFailed));
  index.insert(job_of(2, "A", 2000, JobStatus::kStopping));
  index.insert(job_of(3, "c", 2000, JobStatus::kInProgress));
  index.insert(job_of(4, "d", 3000, JobStatus::kCompleted));
  return index;
}

TEST(JobIndex, SortsAsAskedWhateverThePageSize) {
  const JobIndex index = small_index();
  for (const size_t results : {1U, 2U, 3U, 4U, 5U}) {
    ListQuery query;
    query.results_max = results;
    EXPECT_THAT(list(index, query), ElementsAre("d", "c", "A", "b"));
    query.descending = false;
    EXPECT_THAT(list(index, query), ElementsAre("b", "A", "c", "d"));
    query.sort_by = SortBy::kName;
    EXPECT_THAT(list(index, query), ElementsAre("A", "b", "c", "d"));
    query.sort_by = SortBy::kStatus;
    EXPECT_THAT(list(index, query), ElementsAre("d", "b", "c", "A"));
  }
}

TEST(JobIndex, FiltersByNameStatusAndTimesBoundsIncluded) {
  const JobIndex index = small_index();
  ListQuery query;
  query.status = JobStatus::kFailed;
  EXPECT_THAT(list(index, query), ElementsAre("b"));
  query.status.reset();
  query.created_after = 2.0;
  EXPECT_THAT(list(index, query), ElementsAre("d", "c", "A"));
  query.created_before = 2.0;
  EXPECT_THAT(list(index, query), ElementsAre("c", "A"));
  query.name_contains = "c";
  EXPECT_THAT(list(index, query), ElementsAre("c"));
  query = {};
  query.modified_after = 4.0;
  EXPECT_THAT(list(index, query), ElementsAre("d"));
}

TEST(JobIndex, JobsCreatedAndDeletedBetweenPagesChangeNoOtherResult) {
  JobIndex index = small_index();
  ListQuery query;
  query.results_max = 2;
  const auto first = list_jobs(index, query);
  ASSERT_TRUE(first);
  EXPECT_THAT(names_of(*first), ElementsAre("d", "c"));
  index.insert(job_of(5, "new", 4000));
  index.erase(index.find("c"));  // the one that the token names
  query.next_token = first->next_token;
  const auto second = list_jobs(index, query);
  ASSERT_TRUE(second);
  EXPECT_THAT(names_of(*second), ElementsAre("A", "b"));
  EXPECT_EQ(second->next_token, "");
}

TEST(JobIndex, TheLastPageHasNoToken) {
  const JobIndex index = small_index();
  ListQuery query;
  query.results_max = 4;
  const auto page = list_jobs(index, query);
  ASSERT_TRUE(page);
  EXPECT_EQ(page->next_token, "");
}

TEST(JobIndex, ATokenOfAnotherSortOrNoneOfOursIsRefused) {
  const JobIndex index = small_index();
  ListQuery query;
  query.results_max = 1;
  const auto page = list_jobs(index, query);
  ASSERT_TRUE(page);
  query.next_token = page->next_token;
  query.sort_by = SortBy::kName;
  EXPECT_EQ(list_jobs(index, query).error().code, Code::kInvalidArgument);
  query.sort_by = SortBy::kCreationTime;
  for (const char* token : {"x", "3130647c", "31306", "31306470", "zz"}) {
    query.next_token = token;
    EXPECT_FALSE(list_jobs(index, query)) << token;
  }
}

TEST(JobIndex, AChangedStatusMovesAJob) {
  JobIndex index = small_index();
  index.update(index.find("b"), [](IndexedJob& job) {
    job.stored.status = JobStatus::kCompleted;
    job.record = job_of(1, "b", 1000, JobStatus::kCompleted).record;
  });
  ListQuery query;
  query.sort_by = SortBy::kStatus;
  query.descending = false;
  EXPECT_THAT(list(index, query), ElementsAre("b", "d", "c", "A"));
}

// The slowest list is the one that finds nothing. The bound is the service's for a request, which
// an unoptimised build keeps too.
TEST(JobIndex, AListAmongAHundredThousandJobsIsQuick) {
  JobIndex index;
  for (int i = 0; i < 100000; ++i) {
    index.insert(job_of(i + 1, "nightly-transform-" + std::to_string(i), 1000 + i));
  }
  ListQuery query;
  query.results_max = 100;
  query.name_contains = "absent";
  const auto started = std::chrono::steady_clock::now();
  const auto none = list_jobs(index, query);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started;
  ASSERT_TRUE(none);
  EXPECT_TRUE(none->records.empty());
  RecordProperty("milliseconds", std::to_string(took.count() * 1000));
  ListQuery failed;
  failed.status = JobStatus::kFailed;
  const auto again = std::chrono::steady_clock::now();
  EXPECT_TRUE(list_jobs(index, failed)->records.empty());
  const std::chrono::duration<double> all_looked_at = std::chrono::steady_clock::now() - again;
  RecordProperty("milliseconds_by_status", std::to_string(all_looked_at.count() * 1000));
  EXPECT_LT(took.count(), 0.5);  // a loaded machine; bench/ has the figure
  query.name_contains.clear();
  query.sort_by = SortBy::kName;
  std::set<std::string> all;
  for (const std::string& name : list(index, query)) all.insert(name);
  EXPECT_EQ(all.size(), 100000U);
}

}  // namespace
}  // namespace millrace::jobs
