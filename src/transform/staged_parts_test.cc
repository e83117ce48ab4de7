// Staged parts: whole or not there, and found again only as what they were.
#include "transform/staged_parts.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>

#include "transform/testing/job_test.h"
#include "transform/work_area.h"
#include "transform/work_storage.h"

namespace millrace::transform {
namespace {

namespace fs = std::filesystem;

class StagedPartsTest : public ::testing::Test {
 protected:
  StagedPartsTest() {
    part_.index = 2;
    part_.offset = 100;
    part_.length = 50;
    part_.first_record = 7;
    EXPECT_TRUE(storage_->open_parts(false));
  }
  ~StagedPartsTest() override { fs::remove_all(root_); }

  PartResult stage(const std::string& name, const std::string& bytes) {
    PartResult result;
    result.records = 3;
    result.bytes = bytes.size();
    result.counts.rows = 4;
    auto writer = staged_.create(name);
    EXPECT_TRUE(writer);
    EXPECT_TRUE((*writer)->append(bytes));
    EXPECT_TRUE(staged_.write_result(name, part_, result));
    EXPECT_TRUE((*writer)->commit());
    return result;
  }

  const fs::path root_ = testing::temporary_folder();
  const std::unique_ptr<WorkStorage> storage_ = make_folder_storage(root_);
  StagedParts staged_{*storage_};
  Part part_;
};

TEST_F(StagedPartsTest, AreThereWholeOrNotAtAll) {
  {
    auto writer = staged_.create("n");
    ASSERT_TRUE(writer);
    EXPECT_TRUE((*writer)->append("half"));
    EXPECT_FALSE(staged_.find("n", part_));
  }
  EXPECT_TRUE(fs::is_empty(root_ / "parts"));
  stage("n", "whole");
  const auto found = staged_.find("n", part_);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->records, 3U);
  EXPECT_EQ(found->bytes, 5U);
  EXPECT_EQ(found->counts.rows, 4U);
  staged_.remove("n");
  EXPECT_TRUE(fs::is_empty(root_ / "parts"));
}

TEST_F(StagedPartsTest, OfAnotherRangeAreNotFound) {
  stage("n", "whole");
  for (uint64_t Part::*field : {&Part::offset, &Part::length, &Part::first_record}) {
    Part other = part_;
    other.*field += 1;
    EXPECT_FALSE(staged_.find("n", other));
  }
}

TEST_F(StagedPartsTest, ThatAPowerCutSpoiltAreNotFound) {
  stage("n", "whole");
  const fs::path result = root_ / "parts" / "n.result";
  const auto size = fs::file_size(result);
  for (uint64_t cut = 0; cut < size; ++cut) {
    stage("n", "whole");
    fs::resize_file(result, cut);
    EXPECT_FALSE(staged_.find("n", part_)) << cut;
  }
  stage("n", "whole");
  fs::resize_file(root_ / "parts" / "n", 4);
  EXPECT_FALSE(staged_.find("n", part_));
  stage("n", "whole");
  EXPECT_TRUE(staged_.find("n", part_));
  fs::remove(result);
  EXPECT_FALSE(staged_.find("n", part_));
}

TEST_F(StagedPartsTest, WhatAKilledRunWasWritingIsRemoved) {
  stage("n", "whole");
  std::ofstream(root_ / "parts" / "m.tmp") << "half";
  EXPECT_TRUE(storage_->open_parts(false));
  EXPECT_FALSE(fs::exists(root_ / "parts" / "m.tmp"));
  EXPECT_TRUE(staged_.find("n", part_));
}

TEST_F(StagedPartsTest, MadeUnderOtherSettingsAreDroppedByTheNextRun) {
  testing::MemoryStore store;
  TransformJob job;
  job.name = "j";
  for (const char* digest : {"d1", "d1", "d2"}) {
    auto area = WorkArea::open(root_ / "jobs" / "j");
    ASSERT_TRUE(area);
    const bool first = (*area)->is_new();
    job.settings_digest = digest;
    ASSERT_TRUE((*area)->clean_up(store));
    ASSERT_TRUE((*area)->begin(job, store, store));
    const bool same = std::string(digest) == "d1";
    EXPECT_EQ((*area)->staged().find("n", part_).has_value(), same && !first) << digest;
    PartResult result;
    auto writer = (*area)->staged().create("n");
    ASSERT_TRUE(writer);
    ASSERT_TRUE((*area)->staged().write_result("n", part_, result));
    ASSERT_TRUE((*writer)->commit());
  }
}

}  // namespace
}  // namespace millrace::transform
