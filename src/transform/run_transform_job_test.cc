// Whole jobs: order, the same bytes however the work is cut, errors that name the lowest record.
#include <gtest/gtest.h>

#include <fstream>
#include <thread>

#include "transform/testing/job_test.h"

namespace millrace::transform {
namespace {

using record::AssembleWith;
using record::BatchStrategy;
using testing::answered;
using testing::JobTest;
using testing::lines;
using Status = JobReport::Status;

class RunTransformJob : public JobTest {
 protected:
  // The outputs and what the handler was sent must not depend on how the work is cut.
  void expect_same_bytes_however_cut() {
    job_.if_exists = IfExists::kOverwrite;
    job_.part_bytes = 1 << 20;
    job_.feeders = 1;
    const auto expected = outputs();
    for (uint64_t part_bytes : {1U, 50U, 333U}) {
      for (int feeders : {1, 4}) {
        for (size_t read_bytes : {1U, 100000U}) {
          input_.set_read_bytes_max(read_bytes);
          job_.part_bytes = part_bytes;
          job_.feeders = feeders;
          EXPECT_EQ(outputs(), expected) << part_bytes << " " << feeders << " " << read_bytes;
        }
      }
    }
  }

  std::vector<std::string> sorted_bodies(testing::FakeHandler& handler) {
    std::vector<std::string> bodies;
    for (const auto& request : handler.requests()) bodies.push_back(request.body);
    std::sort(bodies.begin(), bodies.end());
    return bodies;
  }
};

TEST_F(RunTransformJob, WritesOneOutputForEachInputInOrder) {
  input_.put("a.txt", lines("a", 100));
  input_.put("sub/b.txt", lines("b", 3));
  input_.put("no-newline.txt", "one\ntwo");
  input_.put("empty.txt", "");
  const auto outputs = this->outputs();
  EXPECT_EQ(outputs.at("out/a.txt.out"), answered(lines("a", 100)));
  EXPECT_EQ(outputs.at("out/sub/b.txt.out"), answered(lines("b", 3)));
  EXPECT_EQ(outputs.at("out/no-newline.txt.out"), "<one>\n<two>\n");
  EXPECT_EQ(outputs.at("out/empty.txt.out"), "");
  EXPECT_EQ(outputs.size(), 4U);
  EXPECT_FALSE(std::filesystem::exists(area()));
  EXPECT_EQ(output_.open_uploads(), 0U);
}

TEST_F(RunTransformJob, GivesTheSameBytesHoweverTheWorkIsCut) {
  input_.put("a.txt", lines("a", 60));
  input_.put("b.txt", lines("b", 7));
  expect_same_bytes_however_cut();
}

TEST_F(RunTransformJob, KeepsDeclaredMiniBatchBoundariesWithoutAssembleWith) {
  job_.format.assemble_with = AssembleWith::kNone;
  job_.format.max_payload_bytes = 40;
  input_.put("a.txt", lines("a", 60));
  expect_same_bytes_however_cut();
  input_.put("a.txt", "0123456789\nabcdefghij\nx\n0123456789\nabcdefghij\nABCDEFGHIJ\nlast");
  // 11 + 11 + 2 + 11 = 35 bytes, and one more line would exceed 40.
  EXPECT_EQ(outputs().at("out/a.txt.out"),
            "<0123456789>\n<abcdefghij>\n<x>\n<0123456789><abcdefghij>\n<ABCDEFGHIJ>\n<last>");
}

TEST_F(RunTransformJob, AnUnlimitedPayloadIsOneResponseInWhateverParts) {
  job_.format.assemble_with = AssembleWith::kNone;
  job_.format.max_payload_bytes = 0;
  input_.put("a.txt", lines("a", 60));
  std::string expected = answered(lines("a", 60));
  expected.pop_back();  // newlines between records only
  EXPECT_EQ(outputs().at("out/a.txt.out"), expected);
  expect_same_bytes_however_cut();
}

TEST_F(RunTransformJob, SingleRecordAndMultiRecordAgreeUnderAssembleWithLine) {
  input_.put("a.txt", lines("a", 60));
  const auto multi = outputs();
  job_.format.batch_strategy = BatchStrategy::kSingleRecord;
  job_.if_exists = IfExists::kOverwrite;
  EXPECT_EQ(outputs(), multi);
}

TEST_F(RunTransformJob, AContainerSeesTheSameRequestsWhateverThePartSize) {
  input_.put("a.txt", lines("a", 80));
  job_.format.max_payload_bytes = 64;
  job_.max_concurrent_transforms = 3;
  job_.if_exists = IfExists::kOverwrite;
  std::vector<std::string> expected;
  std::map<std::string, std::string> expected_outputs;
  for (uint64_t part_bytes : {100000U, 1U, 65U, 200U}) {
    testing::FakeHandler handler;
    handler.traits_.reads_records_alone = false;
    handler.gives_spans = false;
    job_.part_bytes = part_bytes;
    const auto report = run(handler);
    ASSERT_TRUE(report);
    EXPECT_EQ(report->status, Status::kCompleted) << first_error(*report);
    EXPECT_LE(handler.waiting_max(), 3U);
    if (expected.empty()) {
      expected = sorted_bodies(handler);
      expected_outputs = output_.all();
      EXPECT_GT(expected.size(), 10U);
    }
    EXPECT_EQ(sorted_bodies(handler), expected) << part_bytes;
    EXPECT_EQ(output_.all(), expected_outputs) << part_bytes;
  }
}

TEST_F(RunTransformJob, WithoutSplittingAnObjectIsOneRequest) {
  job_.format.split_type = record::SplitType::kNone;
  job_.format.assemble_with = AssembleWith::kNone;
  job_.format.max_payload_bytes = 5000;
  const std::string text = lines("a", 150);
  input_.put("a.txt", text);
  EXPECT_EQ(outputs().at("out/a.txt.out"), "<" + text + ">");
  ASSERT_EQ(handler_.requests().size(), 1U);
  EXPECT_EQ(handler_.requests()[0].object_name, "in/a.txt");
  EXPECT_EQ(handler_.requests()[0].content_type, "text/plain");
}

TEST_F(RunTransformJob, ARequestToAModelThatReadsRecordsAloneIsSmall) {
  job_.format.max_payload_bytes = 0;
  job_.part_bytes = 1 << 20;
  input_.put("a.txt", lines("a", 5000));
  EXPECT_EQ(outputs().at("out/a.txt.out"), answered(lines("a", 5000)));
  EXPECT_EQ(handler_.requests().size(), 5U);
}

TEST_F(RunTransformJob, JoinsJsonLines) {
  testing::FakeHandler handler([](std::string_view) { return "{\"label\":\"P\"}"; });
  job_.format.content_type = "application/jsonlines";
  job_.format.join_source = record::JoinSource::kInput;
  input_.put("a.jsonl", "{\"inputs\":\"x\",\"id\":1.50}\n[2]\n");
  const auto report = run(handler);
  ASSERT_TRUE(report);
  EXPECT_EQ(output_.get("out/a.jsonl.out"),
            "{\"SageMakerOutput\":{\"label\":\"P\"},\"id\":1.50,\"inputs\":\"x\"}\n"
            "{\"SageMakerInput\":[2],\"SageMakerOutput\":{\"label\":\"P\"}}\n");
}

TEST_F(RunTransformJob, AJoinNeedsAReplyForEachRecord) {
  testing::FakeHandler handler([](std::string_view) { return "{}"; });
  handler.traits_.reads_records_alone = false;
  handler.gives_spans = false;
  job_.format.content_type = "application/jsonlines";
  job_.format.join_source = record::JoinSource::kInput;
  input_.put("a.jsonl", "{\"a\":1}\n{\"a\":2}\n");
  auto report = run(handler);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->status, Status::kCompleted) << first_error(*report);
  EXPECT_EQ(output_.get("out/a.jsonl.out"),
            "{\"SageMakerOutput\":{},\"a\":1}\n{\"SageMakerOutput\":{},\"a\":2}\n");

  handler.between_replies = " ";
  job_.if_exists = IfExists::kOverwrite;
  report = run(handler);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->status, Status::kFailed);
  EXPECT_NE(first_error(*report).find("2 records"), std::string::npos) << first_error(*report);
}

TEST_F(RunTransformJob, GoesOnAfterAFailedObjectAndEndsFailed) {
  input_.put("a.txt", lines("a", 50));
  input_.put("b.txt", "fine\nbad\nfine\n");
  input_.put("c.txt", lines("c", 50));
  const auto report = run();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->status, Status::kFailed);
  EXPECT_EQ(report->failed_objects, 1U);
  EXPECT_EQ(report->failed_records, 1U);
  EXPECT_EQ(report->records, 100U);
  EXPECT_EQ(report->counts.rows, 100U);
  EXPECT_EQ(report->objects[1].error, "s3://in/b.txt: record 2 (byte 5): it is bad");
  EXPECT_EQ(report->objects[1].output, "");
  EXPECT_EQ(report->objects[0].output, "s3://out/out/a.txt.out");
  EXPECT_EQ(output_.all().size(), 2U);
  EXPECT_EQ(output_.open_uploads(), 0U);
  EXPECT_TRUE(std::filesystem::exists(area() / "journal"));
  EXPECT_TRUE(std::filesystem::is_empty(area() / "parts"));
}

TEST_F(RunTransformJob, ReportsTheLowestBadRecordWhateverFailsFirst) {
  std::string text = lines("a", 400);
  for (size_t record : {390U, 250U, 123U}) {
    const size_t at = text.find("a-" + std::to_string(record));
    text.replace(at, 3, "bad");
  }
  const auto offset = text.find("bad");
  input_.put("a.txt", text);
  for (uint64_t part_bytes : {1U, 100U, 1000U, 100000U}) {
    for (int feeders : {1, 4}) {
      job_.part_bytes = part_bytes;
      job_.feeders = feeders;
      const auto report = run();
      ASSERT_TRUE(report);
      EXPECT_EQ(first_error(*report),
                "s3://in/a.txt: record 124 (byte " + std::to_string(offset) + "): it is bad")
          << part_bytes << " " << feeders;
      EXPECT_TRUE(output_.all().empty());
    }
  }
}

TEST_F(RunTransformJob, ARecordThatCannotBeReadFailsAfterThoseBeforeIt) {
  const std::string large(2000, 'y');
  input_.put("a.txt", lines("a", 30) + large + "\n" + lines("b", 30));
  const auto offset = lines("a", 30).size();
  for (uint64_t part_bytes : {1U, 100U, 100000U}) {
    job_.part_bytes = part_bytes;
    const auto report = run();
    ASSERT_TRUE(report);
    EXPECT_EQ(first_error(*report), "s3://in/a.txt: record 31 (byte " + std::to_string(offset) +
                                        "): it has 2001 bytes, more than the 100 that "
                                        "MaxPayloadInMB allows");
  }
  // But a bad record before it is what the user hears of.
  input_.put("a.txt", lines("a", 30) + "bad\n" + large + "\n");
  const auto report = run();
  ASSERT_TRUE(report);
  EXPECT_NE(first_error(*report).find("record 31"), std::string::npos);
  EXPECT_NE(first_error(*report).find("it is bad"), std::string::npos);
}

TEST_F(RunTransformJob, AFailedRequestNamesItsRecords) {
  handler_.traits_.reads_records_alone = false;
  handler_.gives_spans = false;
  job_.format.max_payload_bytes = 12;
  input_.put("a.txt", "one\ntwo\nsix\nbad\nten\n");
  const auto report = run();
  ASSERT_TRUE(report);
  EXPECT_EQ(first_error(*report), "s3://in/a.txt: records 4 to 5 (from byte 12): 400: it is bad");
}

TEST_F(RunTransformJob, AnInputThatCannotBeReadFailsWithItsProblem) {
  input_.put("a.txt", "x\n");
  job_.objects = {{{"pipe", 0, "", "a FIFO cannot be read"}, "out/pipe.out"}};
  const auto report =
      run_transform_job(job_, input_, output_, handler_, work(), progress_, cancel_);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->status, Status::kFailed);
  EXPECT_EQ(first_error(*report), "s3://in/pipe: a FIFO cannot be read");
}

TEST_F(RunTransformJob, AFullDiskFailsItsObjectAndNoOther) {
  input_.put("a.txt", lines("a", 50));
  input_.put("b.txt", lines("b", 50));
  output_.fail_writes_of("a.txt");
  const auto report = run();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->failed_objects, 1U);
  EXPECT_NE(first_error(*report).find("No space left on device"), std::string::npos);
  EXPECT_EQ(output_.all().size(), 1U);
  EXPECT_EQ(output_.open_uploads(), 0U);
}

TEST_F(RunTransformJob, ManySmallObjectsAreInFlightTogether) {
  for (int i = 0; i < 200; ++i) input_.put("o" + std::to_string(i), "r" + std::to_string(i));
  handler_.delay = std::chrono::microseconds(200);
  job_.feeders = 2;
  EXPECT_EQ(outputs().size(), 200U);
  EXPECT_GT(handler_.waiting_max(), 8U);
}

TEST_F(RunTransformJob, StopsWhenCancelledAndKeepsWhatIsCommitted) {
  input_.put("a.txt", "first\n");
  input_.put("b.txt", lines("b", 500));
  input_.put("c.txt", lines("c", 500));
  job_.feeders = 1;
  job_.part_bytes = 20;
  handler_.on_request = [&] {
    if (output_.get("out/a.txt.out")) {
      handler_.hold = true;
      cancel_.cancel();
    }
  };
  const auto report = run();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->status, Status::kStopped);
  EXPECT_EQ(report->failed_objects, 0U);
  EXPECT_EQ(output_.all().size(), 1U);
  EXPECT_EQ(output_.open_uploads(), 0U);
  EXPECT_NE(report->objects[2].error, "");
  EXPECT_TRUE(std::filesystem::exists(area()));
}

TEST_F(RunTransformJob, AsksForTheWorkOfEarlierObjectsAndPartsFirst) {
  input_.put("a.txt", lines("a", 60));
  input_.put("b.txt", "b\n");
  outputs();
  std::set<uint64_t> of_a;
  for (const auto& request : handler_.requests()) {
    EXPECT_EQ(request.job, "job");
    if (request.object_name.ends_with("b.txt")) {
      EXPECT_EQ(request.order, uint64_t{1} << 32);
    } else {
      of_a.insert(request.order);
    }
  }
  EXPECT_GT(of_a.size(), 2U);
  EXPECT_EQ(*of_a.begin(), 0U);
  EXPECT_EQ(*of_a.rbegin(), of_a.size() - 1);
}

TEST_F(RunTransformJob, TellsItsProgressFromOneThreadUpToTheEnd) {
  input_.put("a.txt", lines("a", 300));
  input_.put("b.txt", "one\n");
  std::vector<Progress> seen;
  std::thread::id thread;
  progress_ = [&](const Progress& progress) {
    if (seen.empty()) thread = std::this_thread::get_id();
    EXPECT_EQ(thread, std::this_thread::get_id());
    seen.push_back(progress);
  };
  outputs();
  ASSERT_GE(seen.size(), 1U);
  const Progress& last = seen.back();
  EXPECT_EQ(last.objects_done, 2U);
  EXPECT_EQ(last.objects_total, 2U);
  EXPECT_EQ(last.records_done, 301U);
  EXPECT_EQ(last.records_total, 301U);
  EXPECT_TRUE(last.records_total_exact);
  EXPECT_EQ(last.bytes_done, last.bytes_total);
}

}  // namespace
}  // namespace millrace::transform
