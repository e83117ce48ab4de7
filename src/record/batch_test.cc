// Records to mini-batches, replies back to records, and these to output bytes; words of the API.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "record/assembler.h"
#include "record/batcher.h"
#include "record/reply_records.h"
#include "record/testing.h"

namespace millrace::record {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

DataFormat json_lines() {
  DataFormat format;
  format.content_type = "application/jsonlines";
  format.split_type = SplitType::kLine;
  return format;
}

struct Batches {
  std::vector<MiniBatch> all;
  std::string error;

  std::vector<std::string> bodies() const {
    std::vector<std::string> bodies;
    for (const MiniBatch& batch : all) bodies.push_back(batch.body);
    return bodies;
  }
};

Batches batch_all(const BatchLimits& limits, std::string_view object, uint64_t first_record = 0) {
  const auto splitter = make_splitter(json_lines(), 0, 1000);
  splitter->feed(object);
  splitter->finish();
  Batcher batcher(limits, first_record);
  Batches batches;
  Record record;
  while (splitter->next(&record).value()) {
    const auto complete = batcher.add(record);
    if (!complete) {
      batches.error = complete.error().message;
      break;
    }
    if (*complete) batches.all.push_back(batcher.take());
  }
  MiniBatch last = batcher.take();
  if (!last.empty()) batches.all.push_back(std::move(last));
  return batches;
}

std::vector<std::string> contents(const MiniBatch& batch) {
  std::vector<std::string> contents;
  for (const RecordSpan span : batch.records) {
    contents.push_back(batch.body.substr(span.offset, span.length));
  }
  return contents;
}

TEST(Batcher, SendsOneFramedRecordForSingleRecord) {
  const Batches batches =
      batch_all({.strategy = BatchStrategy::kSingleRecord}, "\xEF\xBB\xBF{}\r\n\n[]", 7);
  EXPECT_THAT(batches.bodies(), ElementsAre("\xEF\xBB\xBF{}\r\n", "\n", "[]"));
  EXPECT_THAT(contents(batches.all[0]), ElementsAre("{}"));
  EXPECT_THAT(contents(batches.all[1]), ElementsAre(""));
  EXPECT_EQ(batches.all[2].first_record, 9U);
  EXPECT_EQ(batches.all[2].offset, 8U);
}

TEST(Batcher, FillsMiniBatchesUpToThePayloadForMultiRecord) {
  const Batches batches = batch_all({.payload_bytes_max = 6}, "1\n22\n3\n4\n55555\n6\n7");
  EXPECT_THAT(batches.bodies(), ElementsAre("1\n22\n", "3\n4\n", "55555\n", "6\n7"));
  EXPECT_THAT(contents(batches.all[0]), ElementsAre("1", "22"));
  EXPECT_EQ(batches.all[1].first_record, 2U);
  EXPECT_EQ(batches.all[2].first_record, 4U);
  EXPECT_EQ(batches.all[3].first_record, 5U);
  EXPECT_EQ(batches.all[3].offset, 15U);
}

TEST(Batcher, MakesOneRequestOfAllWhereThePayloadIsUnlimited) {
  EXPECT_THAT(batch_all({}, "1\n2\n3\n").bodies(), ElementsAre("1\n2\n3\n"));
  EXPECT_THAT(batch_all({}, "").bodies(), IsEmpty());
}

TEST(Batcher, RefusesARecordLargerThanThePayloadAndKeepsThoseBefore) {
  const Batches batches = batch_all({.payload_bytes_max = 4}, "1\n2\n4444\n3\n", 100);
  EXPECT_THAT(batches.bodies(), ElementsAre("1\n2\n"));
  EXPECT_EQ(batches.error,
            "record 103 (byte 4) has 5 bytes, more than the 4 that MaxPayloadInMB allows");
  EXPECT_THAT(batch_all({.payload_bytes_max = 4}, "4444").bodies(), ElementsAre("4444"));
}

TEST(Batcher, CutsAnywhereForModelsThatReadRecordsAlone) {
  EXPECT_THAT(batch_all({.cut_bytes = 4}, "1\n2\n333333\n4\n").bodies(),
              ElementsAre("1\n2\n", "333333\n", "4\n"));
  EXPECT_THAT(batch_all({.cut_records = 2}, "1\n2\n3\n").bodies(), ElementsAre("1\n2\n", "3\n"));
  EXPECT_THAT(batch_all({.cut_bytes = 4, .cut_records = 1}, "1\n2\n").bodies(),
              ElementsAre("1\n", "2\n"));
}

TEST(Assembler, ConcatenatesOrEndsEachPieceWithOneNewline) {
  const std::vector<std::string> replies = {"a", "b\n", "", "c\nd", "\n"};
  std::string none, line;
  for (const std::string& reply : replies) {
    Assembler(AssembleWith::kNone).append(reply, &none);
    Assembler(AssembleWith::kLine).append(reply, &line);
  }
  EXPECT_EQ(none, "ab\nc\nd\n");
  EXPECT_EQ(line, "a\nb\n\nc\nd\n\n") << "an empty reply is an empty line";
}

TEST(Assembler, EndsAPieceThatStandsInTheOutputAlready) {
  std::string out = "a\n";
  Assembler(AssembleWith::kLine).end_piece(out.size(), &out);
  EXPECT_EQ(out, "a\n\n");
  out += "joined";
  Assembler(AssembleWith::kLine).end_piece(out.size() - 6, &out);
  EXPECT_EQ(out, "a\n\njoined\n");
}

TEST(Assembler, OpensAnObjectWithItsHeaderLine) {
  EXPECT_EQ(Assembler(AssembleWith::kLine, "id,label").prologue(), "id,label\n");
  EXPECT_EQ(Assembler(AssembleWith::kLine).prologue(), "");
}

std::vector<std::string> cut_reply(std::string_view body, MediaType media, size_t count) {
  std::vector<std::string> pieces;
  const auto spans = reply_records(body, media, ',', count);
  if (!spans) return {"error: " + spans.error().message};
  for (const RecordSpan span : *spans) pieces.emplace_back(body.substr(span.offset, span.length));
  return pieces;
}

TEST(ReplyRecords, AreLinesOfJson) {
  EXPECT_THAT(cut_reply("{}\n[1]", MediaType::kJsonLines, 2), ElementsAre("{}", "[1]"));
  EXPECT_THAT(cut_reply("{}\r\n[1]\n", MediaType::kJson, 2), ElementsAre("{}", "[1]"));
  EXPECT_THAT(cut_reply("", MediaType::kJsonLines, 0), IsEmpty());
}

TEST(ReplyRecords, AreTheWholeBodyForOneJsonDocument) {
  EXPECT_THAT(cut_reply("{\n \"a\": 1\n}\n", MediaType::kJson, 1), ElementsAre("{\n \"a\": 1\n}"));
  EXPECT_THAT(cut_reply("{\n}\n", MediaType::kJsonLines, 1),
              ElementsAre("error: the reply to 1 records holds 2 lines: it must hold 1"));
}

TEST(ReplyRecords, AreRowsOfCsv) {
  EXPECT_THAT(cut_reply("a,\"x\ny\"\nb,c\n", MediaType::kCsv, 2), ElementsAre("a,\"x\ny\"", "b,c"));
  EXPECT_THAT(cut_reply("a\r\nb\n\n", MediaType::kCsv, 2), ElementsAre("a", "b"));
  EXPECT_THAT(cut_reply("a\n\"b\n", MediaType::kCsv, 2).at(0), HasSubstr("the model's reply"));
}

TEST(ReplyRecords, GiveBothNumbersWhereTheyDiffer) {
  EXPECT_THAT(cut_reply("a\nb\nc\n", MediaType::kCsv, 2),
              ElementsAre("error: the reply to 2 records holds 3 CSV rows: it must hold 2"));
  EXPECT_THAT(cut_reply("", MediaType::kJson, 2),
              ElementsAre("error: the reply to 2 records holds 0 lines: it must hold 2"));
}

TEST(Format, KnowsMediaTypesWithoutTheirParameters) {
  EXPECT_EQ(media_type("text/csv"), MediaType::kCsv);
  EXPECT_EQ(media_type(" Text/CSV ; header=present"), MediaType::kCsv);
  EXPECT_EQ(media_type("application/json;charset=utf-8"), MediaType::kJson);
  EXPECT_EQ(media_type("application/jsonlines"), MediaType::kJsonLines);
  EXPECT_EQ(media_type("application/X-NDJSON"), MediaType::kJsonLines);
  EXPECT_EQ(media_type("text/plain"), MediaType::kText);
  EXPECT_EQ(media_type("text/csvx"), MediaType::kOther);
  EXPECT_EQ(media_type(""), MediaType::kOther);
}

TEST(Batcher, MakesAnArrayAgainOfElementsThatFitWithTheirBrackets) {
  BatchLimits limits;
  limits.json_array = true;
  limits.payload_bytes_max = 9;
  Batcher batcher(limits, 0);
  std::vector<std::string> bodies;
  for (const std::string element : {"11", "22", "33", "4444444", "5"}) {
    if (batcher.add({element, element, 0}).value()) bodies.push_back(batcher.take().body);
  }
  const MiniBatch last = batcher.take();
  bodies.push_back(last.body);
  EXPECT_EQ(bodies, (std::vector<std::string>{"[11,22]", "[33]", "[4444444]", "[5]"}));
  EXPECT_EQ(last.records, (std::vector<RecordSpan>{{1, 1}}));
  EXPECT_FALSE(batcher.add({"88888888", "88888888", 0}));
}

TEST(Format, TakesTheApisWordsExactly) {
  EXPECT_EQ(parse_split_type("None"), SplitType::kNone);
  EXPECT_EQ(parse_split_type("Line"), SplitType::kLine);
  EXPECT_EQ(parse_split_type("line"), std::nullopt);
  EXPECT_EQ(parse_split_type("RecordIO"), SplitType::kRecordIo);
  EXPECT_EQ(parse_split_type("TFRecord"), SplitType::kTfRecord);
  EXPECT_EQ(parse_split_type("JsonArray"), SplitType::kJsonArray);
  EXPECT_EQ(parse_split_type("TfRecord"), std::nullopt);
  EXPECT_EQ(parse_batch_strategy("MultiRecord"), BatchStrategy::kMultiRecord);
  EXPECT_EQ(parse_batch_strategy("SingleRecord"), BatchStrategy::kSingleRecord);
  EXPECT_EQ(parse_batch_strategy("MULTI_RECORD"), std::nullopt);
  EXPECT_EQ(parse_assemble_with("None"), AssembleWith::kNone);
  EXPECT_EQ(parse_assemble_with("Line"), AssembleWith::kLine);
  EXPECT_EQ(parse_assemble_with(""), std::nullopt);
  EXPECT_EQ(parse_join_source("None"), JoinSource::kNone);
  EXPECT_EQ(parse_join_source("Input"), JoinSource::kInput);
  EXPECT_EQ(parse_join_source("Output"), std::nullopt);
}

}  // namespace
}  // namespace millrace::record
