// DataProcessing through whole jobs: what the model is sent, what is joined, what is written, and
// that parts, blocks and the kind of handler change nothing of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "transform/testing/job_test.h"

namespace millrace::transform {
namespace {

using record::JsonPathMode;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::JobTest;

class FilterJob : public JobTest {
 protected:
  FilterJob() { job_.if_exists = IfExists::kOverwrite; }

  void filters(const char* input, const char* output,
               JsonPathMode mode = JsonPathMode::kSageMaker) {
    job_.format.input_filter = record::parse_json_path(input, mode).value();
    job_.format.output_filter = record::parse_json_path(output, mode).value();
  }

  void media(const char* type) {
    job_.format.content_type = type;
    job_.format.accept = type;
  }

  std::string output_of(const std::string& object, testing::FakeHandler& handler) {
    input_.put("a", object);
    const auto report = run(handler);
    if (!report) return "refused: " + report.error().message;
    if (report->failed_objects > 0) return first_error(*report);
    return output_.get("out/a.out").value_or("no output");
  }

  testing::FakeHandler csv_{[](std::string_view) { return "P,0.5"; }};
  testing::FakeHandler json_{[](std::string_view) { return R"({"score":0.50,"label":"P"})"; }};
};

TEST_F(FilterJob, CsvSendsWhatInputFilterLeavesAndJoinsTheWholeRecord) {
  media("text/csv");
  job_.format.join_source = record::JoinSource::kInput;
  filters("$[1:]", "$[0,-1]");
  EXPECT_EQ(output_of("1,\"good, \"\"really\"\"\",x\r\n2,fine,y", csv_), "1,0.5\n2,0.5\n");
  ASSERT_EQ(csv_.requests().size(), 1U);
  EXPECT_EQ(csv_.requests()[0].body, "\"good, \"\"really\"\"\",x\nfine,y");
  filters("$[1:]", "$");
  EXPECT_EQ(output_of("1,a,x\r\n2,b,y\n", csv_), "1,a,x,P,0.5\n2,b,y,P,0.5\n");
}

TEST_F(FilterJob, JsonSelectsMembersOfTheJoinedRecord) {
  media("application/jsonlines");
  job_.format.join_source = record::JoinSource::kInput;
  filters("$.features", "$['id','SageMakerOutput']");
  EXPECT_EQ(output_of("{\"id\": 7, \"features\": [ 1.10, 2E+2 ], \"x\": 1}\r\n"
                      "{\"features\":{\"b\":1,\"a\":2},\"id\":\"8\"}",
                      json_),
            "{\"SageMakerOutput\":{\"label\":\"P\",\"score\":0.50},\"id\":7}\n"
            "{\"SageMakerOutput\":{\"label\":\"P\",\"score\":0.50},\"id\":\"8\"}\n");
  ASSERT_EQ(json_.requests().size(), 1U);
  EXPECT_EQ(json_.requests()[0].body, "[1.10,2E+2]\n{\"a\":2,\"b\":1}");
}

TEST_F(FilterJob, WithoutAJoinTheBareResultIsFiltered) {
  media("application/jsonlines");
  filters("$", "$.label");
  EXPECT_EQ(output_of("{}\n[]\n", json_), "\"P\"\n\"P\"\n");
  media("text/csv");
  filters("$[0]", "$[1]");
  EXPECT_EQ(output_of("a,b\nc,d\n", csv_), "0.5\n0.5\n");
  EXPECT_EQ(csv_.requests().back().body, "a\nc\n");
}

TEST_F(FilterJob, TheRecordOfSplitTypeNoneIsTheWholeDocument) {
  media("application/json");
  job_.format.split_type = record::SplitType::kNone;
  job_.format.assemble_with = record::AssembleWith::kNone;
  job_.format.join_source = record::JoinSource::kInput;
  filters("$.instances", "$.SageMakerOutput.label");
  EXPECT_EQ(output_of("{\n \"instances\": [\n  1,\n  2 ]\n}\n", json_), "\"P\"");
  EXPECT_EQ(json_.requests()[0].body, "[1,2]");
}

TEST_F(FilterJob, MiniBatchesAreCutOnTheBytesAsSent) {
  media("text/csv");
  handler_.traits_.reads_records_alone = false;
  handler_.gives_spans = false;
  job_.format.max_payload_bytes = 6;
  filters("$[1]", "$");
  std::string object;
  for (int i = 0; i < 5; ++i) object += "a long first column," + std::to_string(i) + "\n";
  for (const uint64_t part_bytes : {1U, 30U, 1000U}) {
    job_.part_bytes = part_bytes;
    const size_t before = handler_.requests().size();
    EXPECT_EQ(output_of(object, handler_), "<0>\n<1>\n<2>\n<3>\n<4>\n");
    std::vector<std::string> bodies;
    for (size_t i = before; i < handler_.requests().size(); ++i) {
      bodies.push_back(handler_.requests()[i].body);
    }
    std::sort(bodies.begin(), bodies.end());  // parts run beside each other
    EXPECT_THAT(bodies, ElementsAre("0\n1\n2\n", "3\n4\n")) << part_bytes;
  }
}

TEST_F(FilterJob, OnlyWhatIsSentCountsForTheLargestPayload) {
  media("text/csv");
  job_.format.max_payload_bytes = 10;
  filters("$[0]", "$");
  EXPECT_EQ(output_of("1," + std::string(100, 'x') + "\n", csv_), "P,0.5\n");
  EXPECT_THAT(output_of(std::string(100, 'x') + ",1\n", csv_), HasSubstr("MaxPayloadInMB"));
}

TEST_F(FilterJob, WhatAFilterDoesNotFindFailsTheObjectAndNamesTheRecord) {
  media("text/csv");
  filters("$[2]", "$");
  EXPECT_THAT(
      output_of("1,2,3\n1,2\n", csv_),
      HasSubstr("record 2 (byte 6): InputFilter $[2]: there is no column 2: the row has 2"));
  job_.format.join_source = record::JoinSource::kInput;
  filters("$", "$[4]");
  EXPECT_THAT(
      output_of("1,2,3\n1,2\n", csv_),
      HasSubstr("record 2 (byte 6): OutputFilter $[4]: there is no column 4: the row has 4"));
  media("application/jsonlines");
  filters("$.a", "$");
  EXPECT_THAT(output_of("{\"a\":1}\n{\"a\" 1}\n", json_),
              HasSubstr("record 2 (byte 8): InputFilter $.a: invalid JSON at byte 5"));
  filters("$", "$.no");
  EXPECT_THAT(output_of("{}\n", json_),
              HasSubstr("record 1 (byte 0): OutputFilter $.no: there is no member 'no'"));
}

TEST_F(FilterJob, CountsTheRepliesOfAHandlerThatGivesOnlyABody) {
  media("text/csv");
  csv_.gives_spans = false;
  csv_.traits_.reads_records_alone = false;
  filters("$", "$[1]");
  EXPECT_EQ(output_of("a\nb\n", csv_), "0.5\n0.5\n");
  csv_.between_replies = " ";
  EXPECT_THAT(output_of("a\nb\n", csv_), HasSubstr("the reply to 2 records holds 1 CSV rows"));
}

class NamedColumnsJob : public FilterJob {
 protected:
  NamedColumnsJob() {
    media("text/csv");
    job_.format.csv.header = true;
    job_.format.csv.rfc4180 = true;
    job_.format.join_source = record::JoinSource::kInput;
    csv_.traits_.result_columns = {"predicted_label", "predicted_score"};
  }
};

TEST_F(NamedColumnsJob, TheHeaderFollowsTheFilters) {
  filters("$", "$[0,-1]");
  EXPECT_EQ(output_of("id,app,text\n1,x,good\n", csv_), "id,predicted_score\n1,0.5\n");
  filters("$", "$['predicted_label',\"id\",'te\\u0078t']", JsonPathMode::kExtended);
  EXPECT_EQ(output_of("id,app,text\n1,x,\"a\nb\"\n", csv_),
            "predicted_label,id,text\nP,1,\"a\nb\"\n");
  job_.format.join_source = record::JoinSource::kNone;
  filters("$", "$.predicted_score", JsonPathMode::kExtended);
  EXPECT_EQ(output_of("id,app,text\n1,x,good\n", csv_), "predicted_score\n0.5\n");
}

TEST_F(NamedColumnsJob, TheTextColumnIsLookedForInWhatIsSent) {
  job_.text_column = "text";
  filters("$['text','id']", "$", JsonPathMode::kExtended);
  EXPECT_EQ(output_of("id,app,text\n1,x,good\n", csv_),
            "id,app,text,predicted_label,predicted_score\n1,x,good,P,0.5\n");
  EXPECT_EQ(csv_.requests()[0].body, "good,1\n");
  EXPECT_EQ(csv_.requests()[0].text_column, 0U);
  filters("$.id", "$", JsonPathMode::kExtended);
  EXPECT_THAT(output_of("id,app,text\n1,x,good\n", csv_),
              HasSubstr("the CSV header has no column 'text'; it has: 0 id"));
}

TEST_F(NamedColumnsJob, AreTheSameInAnyParts) {
  job_.text_column = "text";
  filters("$.text", "$['text','predicted_score']", JsonPathMode::kExtended);
  std::string object = "text,id\r\n";
  std::string expected = "text,predicted_score\n";
  for (int i = 0; i < 60; ++i) {
    const std::string text = "\"t " + std::string(static_cast<size_t>(i % 7), '\n') + "\"";
    object += text + "," + std::to_string(i) + "\r\n";
    expected += text + ",0.5\n";
  }
  for (const uint64_t part_bytes : {1U, 50U, 100000U}) {
    job_.part_bytes = part_bytes;
    EXPECT_EQ(output_of(object, csv_), expected) << part_bytes;
  }
  for (const auto& request : csv_.requests()) EXPECT_EQ(request.text_column, 0U);
}

TEST_F(NamedColumnsJob, AColumnThatNobodyHasFailsTheObject) {
  filters("$.txt", "$", JsonPathMode::kExtended);
  EXPECT_THAT(output_of("id,text\n1,good\n", csv_), HasSubstr("no column has the name 'txt'"));
  filters("$", "$.predicted", JsonPathMode::kExtended);
  EXPECT_THAT(output_of("id,text\n1,good\n", csv_),
              HasSubstr("no column has the name 'predicted'"));
}

}  // namespace
}  // namespace millrace::transform
