// CSV jobs: headers, text columns by name, joined columns.
#include <gtest/gtest.h>

#include "transform/testing/job_test.h"

namespace millrace::transform {
namespace {

using testing::JobTest;

class CsvJob : public JobTest {
 protected:
  CsvJob() {
    job_.format.content_type = "text/csv";
    job_.format.csv.rfc4180 = true;
    job_.format.csv.header = true;
    job_.format.join_source = record::JoinSource::kInput;
    job_.text_column = "text";
    job_.result_prefix = "predicted_";
    job_.if_exists = IfExists::kOverwrite;
    handler_.traits_.result_columns = {"predicted_label", "predicted_score"};
  }

  std::string output_of(const std::string& csv) {
    input_.put("a.csv", csv);
    const auto report = run(handler_);
    if (!report) return "refused: " + report.error().message;
    if (report->failed_objects > 0) return first_error(*report);
    return output_.get("out/a.csv.out").value_or("no output");
  }

  testing::FakeHandler handler_{[](std::string_view) { return "P,0.5"; }};
};

TEST_F(CsvJob, NamesTheAddedColumnsAndPassesTheTextColumnsIndex) {
  EXPECT_EQ(output_of("id,text\n1,good\n2,\"two\nlines, \"\"quoted\"\"\"\n"),
            "id,text,predicted_label,predicted_score\n1,good,P,0.5\n"
            "2,\"two\nlines, \"\"quoted\"\"\",P,0.5\n");
  ASSERT_FALSE(handler_.requests().empty());
  EXPECT_EQ(handler_.requests()[0].text_column, 1U);
  EXPECT_EQ(handler_.requests()[0].body.find("id,text"), std::string::npos);
}

TEST_F(CsvJob, IsTheSameInAnyPartsAndBlocks) {
  std::string csv = "\xEF\xBB\xBFid,text\r\n";
  for (int i = 0; i < 80; ++i) {
    csv +=
        std::to_string(i) + ",\"text " + std::string(static_cast<size_t>(i % 13), '\n') + "\"\r\n";
    if (i % 9 == 0) csv += "\r\n";  // no record
  }
  job_.part_bytes = 1 << 20;
  const std::string expected = output_of(csv);
  EXPECT_EQ(std::count(expected.begin(), expected.end(), 'P'), 80);
  for (uint64_t part_bytes : {1U, 64U, 500U}) {
    for (size_t read_bytes : {1U, 37U, 100000U}) {
      job_.part_bytes = part_bytes;
      input_.set_read_bytes_max(read_bytes);
      EXPECT_EQ(output_of(csv), expected) << part_bytes << " " << read_bytes;
    }
  }
  for (const auto& request : handler_.requests()) EXPECT_EQ(request.text_column, 1U);
}

// Otherwise pandas reads the label of a short row as its third column.
TEST_F(CsvJob, ResultsStandBelowTheirNamesWhateverTheLengthOfTheRow) {
  for (uint64_t part_bytes : {1U, 1000U}) {
    job_.part_bytes = part_bytes;
    EXPECT_EQ(
        output_of("id,text,app\n1,good\n2,\"a,\"\"b\",x\n"),
        "id,text,app,predicted_label,predicted_score\n1,good,,P,0.5\n2,\"a,\"\"b\",x,P,0.5\n");
    const std::string error = output_of("id,text,app\n1,good,x\n2,good,x,\n");
    EXPECT_NE(error.find("record 2 (byte 21): the row has 4 fields and the header 3"),
              std::string::npos)
        << error;
  }
  job_.record_errors.on = RecordErrorRules::On::kRecord;
  EXPECT_EQ(output_of("id,text,app\n2,good,x,\"y\"\n"),
            "id,text,app,predicted_label,predicted_score\n\"2,good,x,\"\"y\"\"\",,,ERROR,\n");
  job_.format.csv.header = false;  // nothing says how many there should be
  job_.text_column = "1";
  EXPECT_EQ(output_of("1,good\n2,good,x\n"), "1,good,P,0.5\n2,good,x,P,0.5\n");
}

TEST_F(CsvJob, WithoutJoinTheHeaderNamesTheResultsAlone) {
  job_.format.join_source = record::JoinSource::kNone;
  EXPECT_EQ(output_of("id,text\n1,good\n"), "predicted_label,predicted_score\nP,0.5\n");
  job_.format.accept = "application/jsonlines";
  EXPECT_EQ(output_of("id,text\n1,good\n"), "P,0.5\n");
}

TEST_F(CsvJob, AHeaderAloneGivesAHeaderAlone) {
  EXPECT_EQ(output_of("id,text\n"), "id,text,predicted_label,predicted_score\n");
  EXPECT_EQ(output_of("id,text"), "id,text,predicted_label,predicted_score\n");
  EXPECT_NE(output_of("").find("header"), std::string::npos);
}

TEST_F(CsvJob, RefusesAColumnThatTheInputHasBeforeAnythingIsSent) {
  for (uint64_t part_bytes : {1U, 100000U}) {
    job_.part_bytes = part_bytes;
    const std::string error = output_of("predicted_label,text\n1,good\n2,good\n");
    EXPECT_NE(error.find("s3://in/a.csv"), std::string::npos) << error;
    EXPECT_NE(error.find("predicted_label"), std::string::npos) << error;
    EXPECT_NE(error.find("MILLRACE_RESULT_PREFIX"), std::string::npos) << error;
  }
  EXPECT_TRUE(handler_.requests().empty());
  EXPECT_TRUE(output_.all().empty());
}

TEST_F(CsvJob, AMissingTextColumnFailsTheObjectAndListsTheColumns) {
  job_.text_column = "review";
  const std::string error = output_of("id,text\n1,good\n");
  EXPECT_NE(error.find("review"), std::string::npos) << error;
  EXPECT_NE(error.find("text"), std::string::npos) << error;
  EXPECT_TRUE(handler_.requests().empty());
}

TEST_F(CsvJob, WithoutHeaderAnIndexIsPassedOn) {
  job_.format.csv.header = false;
  job_.text_column = "1";
  EXPECT_EQ(output_of("1,good\n"), "1,good,P,0.5\n");
  EXPECT_EQ(handler_.requests()[0].text_column, 1U);
}

TEST_F(CsvJob, CountsRecordsFromOneWithoutTheHeaderAndGivesTheLineWhereRecordsAreLines) {
  EXPECT_EQ(output_of("id,text\n1,good\n2,bad\n"), "s3://in/a.csv: record 2 (byte 15): it is bad");
  job_.format.csv.rfc4180 = false;
  for (uint64_t part_bytes : {1U, 1000U}) {
    job_.part_bytes = part_bytes;
    EXPECT_EQ(output_of("id,text\n1,good\n2,bad\n"),
              "s3://in/a.csv: record 2 (line 3, byte 15): it is bad");
  }
}

TEST_F(CsvJob, AQuoteThatIsNeverClosedNamesItsRecord) {
  for (uint64_t part_bytes : {1U, 1000U}) {
    job_.part_bytes = part_bytes;
    const std::string error = output_of("id,text\n1,good\n2,\"open\n3,x\n4,y\n");
    EXPECT_NE(error.find("record 2 (byte 15)"), std::string::npos) << error;
    EXPECT_NE(error.find("quote"), std::string::npos) << error;
  }
}

TEST_F(CsvJob, AHeaderCanBeTakenOffAnObjectThatIsNotSplit) {
  job_.format.join_source = record::JoinSource::kNone;
  job_.format.split_type = record::SplitType::kNone;
  job_.format.assemble_with = record::AssembleWith::kNone;
  EXPECT_EQ(output_of("id,text\n1,good\n"), "predicted_label,predicted_score\nP,0.5");
  EXPECT_EQ(handler_.requests()[0].body, "1,good\n");
}

}  // namespace
}  // namespace millrace::transform
