// A bad record costs one record: the same bytes for any part size, any model and any resume, and
// an errors file that names each.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "transform/refusals.h"
#include "transform/testing/job_test.h"

namespace millrace::transform {
namespace {

using testing::JobTest;
using On = RecordErrorRules::On;
using Status = JobReport::Status;

constexpr char kPlaceholder[] = R"({"error":{"code":"bad_input","message":"it is bad"}})";

class JobErrors : public JobTest {
 protected:
  JobErrors() {
    job_.feeders = 3;
    job_.record_errors.on = On::kRecord;
    job_.format.accept = "application/jsonlines";
  }

  // 60 lines, of which some are bad.
  static std::string some_bad(const std::vector<size_t>& bad) {
    std::string text;
    for (size_t i = 0; i < 60; ++i) {
      const bool is_bad = std::find(bad.begin(), bad.end(), i) != bad.end();
      text += (is_bad ? "bad-" : "fine-") + std::to_string(i) + "\n";
    }
    return text;
  }

  static std::string expected(const std::string& text, const std::string& placeholder) {
    std::string out;
    for (size_t start = 0; start < text.size();) {
      const size_t end = text.find('\n', start);
      const std::string line = text.substr(start, end - start);
      out += line.starts_with("bad") ? placeholder : "<" + line + ">\n";
      start = end + 1;
    }
    return out;
  }

  void forget_outputs() {
    for (const auto& [key, bytes] : output_.all()) ASSERT_TRUE(output_.remove(key));
  }

  // The threshold of so many records, or per cent.
  void allow(uint64_t count) {
    job_.record_errors.count_max = count;
    job_.record_errors.text = std::to_string(count);
  }
  void allow_percent(double percent, const char* text) {
    job_.record_errors.percent_max = percent;
    job_.record_errors.text = text;
  }

  const std::vector<size_t> bad_ = {0, 7, 8, 31, 59};
  const std::string text_ = some_bad(bad_);
};

TEST_F(JobErrors, APlaceholderStandsForEachBadRecordWhateverThePartsAndTheModel) {
  input_.put("a", text_);
  std::string errors;
  for (bool alone : {true, false}) {
    handler_.traits_.reads_records_alone = alone;
    handler_.gives_spans = alone;
    for (uint64_t part_bytes : {1U, 50U, 100U, 333U, 10000U}) {
      job_.part_bytes = part_bytes;
      forget_outputs();
      const auto outputs = this->outputs();
      EXPECT_EQ(outputs.size(), 2U);
      EXPECT_EQ(
          outputs.at("out/a.out"),
          expected(text_, (alone ? kPlaceholder
                                 : R"({"error":{"code":"bad_input","message":"400: it is bad"}})") +
                              std::string("\n")))
          << part_bytes << alone;
      if (alone && !errors.empty()) {
        EXPECT_EQ(outputs.at("out/a.out.errors.jsonl"), errors);
      }
      if (alone) errors = outputs.at("out/a.out.errors.jsonl");
    }
  }
}

TEST_F(JobErrors, TheErrorsFileNamesEachBadRecord) {
  input_.put("a", text_);
  const std::string errors = outputs().at("out/a.out.errors.jsonl");
  std::istringstream lines(errors);
  std::string line;
  for (const size_t bad : bad_) {
    ASSERT_TRUE(std::getline(lines, line));
    const auto json = nlohmann::json::parse(line);
    const std::string record = "bad-" + std::to_string(bad);
    EXPECT_EQ(json["object"], "s3://in/a");
    EXPECT_EQ(json["record_number"], bad + 1);
    EXPECT_EQ(json["byte_offset"], text_.find(record + "\n"));
    EXPECT_EQ(json["cause"], "it is bad");
    EXPECT_EQ(json["record"], record);
  }
  EXPECT_FALSE(std::getline(lines, line));
}

TEST_F(JobErrors, TheReportCountsThemAndTheJobIsCompleted) {
  input_.put("a", text_);
  input_.put("b", "fine\n");
  const auto report = run();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->status, Status::kCompleted);
  EXPECT_EQ(report->records, 61U);
  EXPECT_EQ(report->failed_records, bad_.size());
  EXPECT_EQ(report->objects[0].failed_records, bad_.size());
  EXPECT_FALSE(output_.get("out/b.out.errors.jsonl"));
}

TEST_F(JobErrors, DropLeavesThemOut) {
  job_.record_errors.on = On::kDrop;
  input_.put("a", text_);
  for (uint64_t part_bytes : {1U, 100U, 10000U}) {
    job_.part_bytes = part_bytes;
    forget_outputs();
    const auto outputs = this->outputs();
    EXPECT_EQ(outputs.at("out/a.out"), expected(text_, ""));
    EXPECT_EQ(outputs.count("out/a.out.errors.jsonl"), 1U);
  }
}

// Without AssembleWith the newline stands between the results of one response.
TEST_F(JobErrors, DroppedRecordsLeaveNoNewlineBehind) {
  job_.format.assemble_with = record::AssembleWith::kNone;
  job_.record_errors.on = On::kDrop;
  for (uint64_t payload : {0U, 100U}) {
    job_.format.max_payload_bytes = payload;
    for (uint64_t part_bytes : {10U, 10000U}) {
      job_.part_bytes = part_bytes;
      forget_outputs();
      input_.put("a", "bad1\nfine2\nbad3\nfine4\nbad5\n");
      EXPECT_EQ(outputs().at("out/a.out"), "<fine2>\n<fine4>") << payload << " " << part_bytes;
    }
  }
}

TEST_F(JobErrors, AThresholdInRecordsFailsTheObjectInWordsThatAreAlwaysTheSame) {
  input_.put("a", text_);
  for (uint64_t part_bytes : {1U, 50U, 100U, 10000U}) {
    job_.part_bytes = part_bytes;
    for (uint64_t allowed = 0; allowed <= bad_.size(); ++allowed) {
      forget_outputs();
      std::filesystem::remove_all(area());
      allow(allowed);
      const auto report = run();
      ASSERT_TRUE(report);
      if (allowed == bad_.size()) {
        EXPECT_EQ(report->status, Status::kCompleted);
        continue;
      }
      EXPECT_EQ(report->status, Status::kFailed);
      EXPECT_EQ(first_error(*report), "s3://in/a: more than " + std::to_string(allowed) +
                                          " records were refused, the first of them record 1 "
                                          "(byte 0): it is bad");
      EXPECT_EQ(report->failed_records, allowed + 1);
      EXPECT_TRUE(output_.all().empty());
      EXPECT_EQ(output_.open_uploads(), 0U);
    }
  }
}

TEST_F(JobErrors, AThresholdInPerCentIsJudgedAtTheObjectsEnd) {
  input_.put("a", text_);
  for (uint64_t part_bytes : {50U, 10000U}) {
    job_.part_bytes = part_bytes;
    std::filesystem::remove_all(area());
    allow_percent(8.3, "8.3%");  // 5 of 60 are 8.33 %
    const auto report = run();
    ASSERT_TRUE(report);
    EXPECT_EQ(report->status, Status::kFailed);
    EXPECT_NE(first_error(*report).find("more than 8.3% of 60 records"), std::string::npos);
    EXPECT_EQ(report->failed_records, bad_.size());
    EXPECT_TRUE(output_.all().empty());
    allow_percent(8.4, "8.4%");
    job_.settings_digest = "d" + std::to_string(part_bytes);
    outputs();
    forget_outputs();
  }
}

TEST(Refusals, AreMeasuredExactlyWherePerCentAreNoNumbersThatDoublesHave) {
  for (uint64_t percent = 1; percent <= 100; ++percent) {
    for (const uint64_t records : {100U, 1000U, 123400U}) {
      RecordErrorRules rules;
      rules.on = On::kDrop;
      rules.percent_max = static_cast<double>(percent);
      Refusals refusals(rules);
      ASSERT_TRUE(refusals.add(0, {percent * records / 100, 0, "cause"}));
      EXPECT_TRUE(refusals.judge(records)) << percent << "% of " << records;
      ASSERT_TRUE(refusals.add(0, {1, 0, "cause"}));
      EXPECT_FALSE(refusals.judge(records)) << percent << "% of " << records;
    }
  }
}

TEST_F(JobErrors, RecordsThatAreTooLargeCostThemselvesAlone) {
  job_.format.max_payload_bytes = 20;
  const std::string text = "one\n" + std::string(50, 'x') + "\ntwo\n";
  input_.put("a", text);
  for (uint64_t part_bytes : {1U, 10U, 1000U}) {
    job_.part_bytes = part_bytes;
    forget_outputs();
    const auto outputs = this->outputs();
    EXPECT_EQ(
        outputs.at("out/a.out"),
        "<one>\n{\"error\":{\"code\":\"bad_input\",\"message\":\"it has 51 bytes, more than the "
        "20 that MaxPayloadInMB allows\"}}\n<two>\n");
    const auto json = nlohmann::json::parse(outputs.at("out/a.out.errors.jsonl"));
    EXPECT_EQ(json["record_number"], 2);
    EXPECT_EQ(json["record"], std::string(50, 'x'));
  }
  for (const auto& request : handler_.requests())
    EXPECT_EQ(request.body.find('x'), std::string::npos);
}

TEST_F(JobErrors, UnderAJoinThePlaceholderStandsWhereTheResultWould) {
  job_.format.content_type = "application/jsonlines";
  job_.format.join_source = record::JoinSource::kInput;
  testing::FakeHandler model([](std::string_view) { return std::string("1"); });
  input_.put("a", "{\"x\":1}\n{\"x\":\"bad\"}\n{\"x\":\n7\n");
  for (uint64_t part_bytes : {1U, 1000U}) {
    job_.part_bytes = part_bytes;
    forget_outputs();
    const auto report = run(model);
    ASSERT_TRUE(report);
    ASSERT_EQ(report->status, Status::kCompleted) << first_error(*report);
    std::istringstream lines(*output_.get("out/a.out"));
    std::string line;
    std::getline(lines, line);
    EXPECT_EQ(line, R"({"SageMakerOutput":1,"x":1})");
    std::getline(lines, line);
    EXPECT_EQ(line, R"({"SageMakerOutput":)" + std::string(kPlaceholder) + R"(,"x":"bad"})");
    std::getline(lines, line);  // a record that is no JSON, found by the join
    EXPECT_EQ(nlohmann::json::parse(line)["SageMakerInput"], "{\"x\":");
    EXPECT_EQ(nlohmann::json::parse(line)["SageMakerOutput"]["error"]["code"], "bad_input");
    std::getline(lines, line);
    EXPECT_EQ(line, R"({"SageMakerInput":7,"SageMakerOutput":1})");
    EXPECT_EQ(report->failed_records, 2U);
  }
}

TEST_F(JobErrors, InCsvTheFirstResultColumnSaysError) {
  job_.format.content_type = "text/csv";
  job_.format.accept = "text/csv";
  job_.format.csv.header = true;
  job_.format.csv.rfc4180 = true;
  job_.format.join_source = record::JoinSource::kInput;
  testing::FakeHandler model([](std::string_view) { return std::string("POSITIVE,0.9"); });
  model.traits_.result_columns = {"label", "score"};
  input_.put("a", "id,text\n1,\"a, b\"\n2,bad\nbad\n3,\"never\nclosed\n");
  for (uint64_t part_bytes : {1U, 1000U}) {
    job_.part_bytes = part_bytes;
    forget_outputs();
    const auto report = run(model);
    ASSERT_TRUE(report);
    ASSERT_EQ(report->status, Status::kCompleted) << first_error(*report);
    EXPECT_EQ(*output_.get("out/a.out"),
              "id,text,label,score\n1,\"a, b\",POSITIVE,0.9\n2,bad,ERROR,\nbad,,ERROR,\n"
              "\"3,\"\"never\nclosed\",,ERROR,\n");
    EXPECT_EQ(report->failed_records, 3U);
  }
}

TEST_F(JobErrors, AMiniBatchThatIsRefusedIsHalvedUntilTheRecordIsAlone) {
  handler_.traits_.reads_records_alone = false;
  handler_.gives_spans = false;
  job_.part_bytes = 10000;
  job_.format.max_payload_bytes = 10000;
  input_.put("a", text_);
  const auto report = run();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->status, Status::kCompleted) << first_error(*report);
  EXPECT_EQ(report->failed_records, bad_.size());
  // Each bad record is found in as many steps as the count has bits, not one by one.
  EXPECT_LE(handler_.requests().size(), 1 + 2 * 6 * bad_.size());
  EXPECT_EQ(handler_.requests().front().records.size(), 60U);
}

// What is no record's fault fails the object, whatever becomes of bad records.
TEST_F(JobErrors, AModelThatFailsIsNoRecordError) {
  class Broken final : public handler::InferenceHandler {
   public:
    const handler::HandlerTraits& traits() const override { return traits_; }
    std::future<Result<handler::InvokeReply>> invoke(handler::InvokeRequest) override {
      std::promise<Result<handler::InvokeReply>> promise;
      promise.set_value(fail(unavailable("503 Service Unavailable")));
      return promise.get_future();
    }
    handler::HandlerTraits traits_;
  } broken;
  for (bool alone : {true, false}) {
    broken.traits_.reads_records_alone = alone;
    input_.put("a", text_);
    const auto report = run(broken);
    ASSERT_TRUE(report);
    EXPECT_EQ(report->status, Status::kFailed);
    EXPECT_NE(first_error(*report).find("503"), std::string::npos);
    EXPECT_EQ(report->failed_records, 0U);
    EXPECT_TRUE(output_.all().empty());
  }
}

TEST_F(JobErrors, AResumedJobEndsWithTheSameErrorsFile) {
  input_.put("a", text_);
  job_.part_bytes = 50;
  const auto undisturbed = outputs();
  forget_outputs();
  output_.fail_writes_of("a.out");
  ASSERT_TRUE(run());
  ASSERT_TRUE(output_.all().empty());
  output_.fail_writes_of("");
  const size_t asked = handler_.requests().size();
  const auto report = run();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->status, Status::kCompleted) << first_error(*report);
  EXPECT_EQ(output_.all(), undisturbed);
  EXPECT_EQ(report->failed_records, bad_.size());
  EXPECT_EQ(handler_.requests().size(), asked);
}

TEST_F(JobErrors, AnErrorsFileOfAnEarlierResultDoesNotStayBesideANewOne) {
  input_.put("a", "fine\n");
  job_.if_exists = IfExists::kOverwrite;
  for (const On on : {On::kRecord, On::kFail}) {
    job_.record_errors.on = on;
    output_.put("out/a.out", "old");
    output_.put("out/a.out.errors.jsonl", "old");
    EXPECT_EQ(outputs(), (std::map<std::string, std::string>{{"out/a.out", "<fine>\n"}}));
  }
}

TEST_F(JobErrors, AnErrorsFileThatExistsRefusesTheJob) {
  input_.put("a", "fine\n");
  output_.put("out/a.out.errors.jsonl", "theirs");
  const auto report = run();
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, Code::kAlreadyExists);
}

TEST_F(JobErrors, EachFailedCallOfTheOutputStoreLeavesBothFilesOrNoOutput) {
  input_.put("a", text_);
  input_.put("b", "bad\nfine\n");
  job_.part_bytes = 200;
  const auto undisturbed = outputs();
  ASSERT_EQ(undisturbed.size(), 4U);
  for (bool later : {false, true}) {
    for (int64_t k = 0;; ++k) {
      ASSERT_LT(k, 200);
      forget_outputs();
      std::filesystem::remove_all(area());
      output_.fail_call(k, later);
      (void)run();
      const bool done = output_.calls() <= k;
      output_.heal();
      for (const auto& [key, bytes] : output_.all()) {
        EXPECT_EQ(bytes, undisturbed.at(key)) << k;
        if (!key.ends_with(".errors.jsonl")) {
          EXPECT_TRUE(output_.get(key + ".errors.jsonl")) << k << key;
        }
      }
      if (done) break;
      if (output_.all().size() == 4 && !std::filesystem::exists(area())) continue;
      const auto next = run();
      ASSERT_TRUE(next) << next.error().message;
      EXPECT_EQ(next->status, Status::kCompleted) << first_error(*next);
      EXPECT_EQ(output_.all(), undisturbed) << k;
      EXPECT_EQ(output_.open_uploads(), 0U);
    }
  }
}

}  // namespace
}  // namespace millrace::transform
