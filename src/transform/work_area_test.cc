// The work area: locked, whole or absent files, and a journal that survives a kill at any byte.
#include "transform/work_area.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "transform/testing/memory_store.h"

namespace millrace::transform {
namespace {

namespace fs = std::filesystem;

class WorkAreaTest : public ::testing::Test {
 protected:
  WorkAreaTest() {
    std::string pattern = (fs::temp_directory_path() / "millrace-XXXXXX").string();
    folder_ = fs::path(::mkdtemp(pattern.data())) / "jobs" / "j";
    job_.name = "j";
    job_.settings_digest = "d1";
  }
  ~WorkAreaTest() override { fs::remove_all(folder_.parent_path().parent_path()); }

  std::unique_ptr<WorkArea> open_and_begin() {
    auto area = WorkArea::open(folder_);
    EXPECT_TRUE(area) << area.error().message;
    EXPECT_TRUE((*area)->clean_up(store_));
    EXPECT_TRUE((*area)->begin(job_, store_, store_));
    return std::move(*area);
  }

  fs::path folder_;
  testing::MemoryStore store_;
  TransformJob job_;
};

TEST_F(WorkAreaTest, RefusesASecondProcessAndNamesTheFirst) {
  const auto area = open_and_begin();
  const auto second = WorkArea::open(folder_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kAlreadyExists);
  EXPECT_NE(second.error().message.find(folder_.string()), std::string::npos);
  EXPECT_NE(second.error().message.find(std::to_string(::getpid())), std::string::npos);
}

TEST_F(WorkAreaTest, IsFreeAgainWhenItsHolderIsGone) {
  open_and_begin().reset();
  EXPECT_TRUE(WorkArea::open(folder_));
  EXPECT_TRUE(fs::exists(folder_));
}

TEST_F(WorkAreaTest, RemovesOnlyWhatIsItsOwn) {
  auto area = open_and_begin();
  std::ofstream(folder_ / "notes.txt") << "mine";
  EXPECT_TRUE(area->remove());
  EXPECT_TRUE(fs::exists(folder_ / "notes.txt"));
  EXPECT_FALSE(fs::exists(folder_ / "journal"));
  area = open_and_begin();
  fs::remove(folder_ / "notes.txt");
  EXPECT_TRUE(area->remove());
  EXPECT_FALSE(fs::exists(folder_));
}

TEST_F(WorkAreaTest, AnEarlierRunsUploadsAreAborted) {
  const std::string id = store_.leave_upload("k");
  store_.leave_upload("only\tintent\n%");
  {
    const auto area = open_and_begin();
    EXPECT_TRUE(area->journal().upload_intent("k"));
    EXPECT_TRUE(area->journal().upload_started("k", id));
    EXPECT_TRUE(area->journal().upload_intent("only\tintent\n%"));
    EXPECT_TRUE(area->journal().upload_intent("ended"));
    EXPECT_TRUE(area->journal().upload_ended("ended"));
  }
  EXPECT_EQ(store_.open_uploads(), 2U);
  const auto area = open_and_begin();
  EXPECT_EQ(store_.open_uploads(), 0U);
}

TEST_F(WorkAreaTest, WhatWasCommittedIsKnownOnlyUnderTheSameSettings) {
  {
    const auto area = open_and_begin();
    CommittedOutput output;
    output.output_key = "o k";
    output.input_etag = "e";
    output.run_digest = "d1";
    output.output_size = 7;
    output.records = 3;
    output.counts.rows = 4;
    output.counts.cleaned[7] = 9;
    EXPECT_TRUE(area->journal().output_committing("o k", "d1"));
    EXPECT_TRUE(area->journal().output_committed(output));
  }
  {
    const auto area = open_and_begin();
    ASSERT_EQ(area->earlier().committed.count("o k"), 1U);
    const CommittedOutput& output = area->earlier().committed.at("o k");
    EXPECT_EQ(output.output_size, 7U);
    EXPECT_EQ(output.counts.rows, 4U);
    EXPECT_EQ(output.counts.cleaned[7], 9U);
    EXPECT_EQ(area->earlier().committing.count("o k"), 1U);
  }
  job_.settings_digest = "d2";
  const auto area = open_and_begin();
  EXPECT_TRUE(area->earlier().committed.empty());
  EXPECT_TRUE(area->earlier().committing.empty());
}

TEST_F(WorkAreaTest, WhatAJobOfTheSameNameWroteBetweenOtherPlacesIsNotOurs) {
  job_.places = "monday -> out";
  {
    const auto area = open_and_begin();
    EXPECT_TRUE(area->journal().output_committing("k", run_digest(job_)));
  }
  {
    const auto area = open_and_begin();
    EXPECT_EQ(area->earlier().committing.count("k"), 1U);
  }
  job_.places = "tuesday -> out";
  const auto area = open_and_begin();
  EXPECT_TRUE(area->earlier().committing.empty());
}

TEST_F(WorkAreaTest, AJournalCutAtAnyByteIsReadUpToItsLastWholeLine) {
  {
    const auto area = open_and_begin();
    for (const char* key : {"a", "b", "c"}) EXPECT_TRUE(area->journal().upload_intent(key));
  }
  std::stringstream whole;
  whole << std::ifstream(folder_ / "journal").rdbuf();
  const std::string text = whole.str();
  size_t previous = 0;
  for (size_t bytes = 0; bytes <= text.size(); ++bytes) {
    std::ofstream(folder_ / "journal", std::ios::trunc) << text.substr(0, bytes);
    const auto state = read_journal(*make_folder_storage(folder_));
    ASSERT_TRUE(state);
    const auto lines = static_cast<size_t>(
        std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(bytes), '\n'));
    EXPECT_EQ(state->open_uploads.size(), lines);
    EXPECT_GE(lines, previous);
    previous = lines;
  }
  EXPECT_EQ(previous, 3U);
}

}  // namespace
}  // namespace millrace::transform
