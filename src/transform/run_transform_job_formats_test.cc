// Whole jobs over frames, arrays, compressed objects and other encodings, with a handler that says
// what it was sent.
#include <gmock/gmock.h>
#include <zlib.h>

#include "record/crc32c.h"
#include "transform/testing/job_test.h"

namespace millrace::transform {
namespace {

using record::AssembleWith;
using record::BatchStrategy;
using record::SplitType;
using ::testing::HasSubstr;

std::string little_endian(uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i));
  return text;
}

std::string tf_record(std::string_view data) {
  const std::string length = little_endian(data.size(), 8);
  return length + little_endian(record::masked_crc32c(length), 4) + std::string(data) +
         little_endian(record::masked_crc32c(data), 4);
}

std::string record_io(std::string_view data) {
  std::string frame = little_endian(0xCED7230A, 4) + little_endian(data.size(), 4);
  frame += data;
  while (frame.size() % 4 != 0) frame += '\0';
  return frame;
}

std::string gzip(std::string_view bytes) {
  std::string out(bytes.size() + 1000, '\0');
  z_stream stream = {};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

class Formats : public testing::JobTest {
 protected:
  std::vector<std::string> bodies() {
    std::vector<std::string> all;
    for (const auto& request : handler_.requests()) all.push_back(request.body);
    return all;
  }

  // Requests in order, as a container that takes one at a time sees them.
  void as_container() {
    handler_.traits_.reads_records_alone = false;
    handler_.gives_spans = false;
    job_.max_concurrent_transforms = 1;
    job_.feeders = 1;
  }

  std::string only_output() {
    const auto all = outputs();
    return all.empty() ? "" : all.begin()->second;
  }

  std::string only_error() {
    const auto report = run();
    return report ? first_error(*report) : report.error().message;
  }
};

TEST_F(Formats, FramesAreSentUnderMultiRecordAndNotUnderSingleRecord) {
  as_container();
  using Frame = std::string (*)(std::string_view);
  const std::pair<SplitType, Frame> kinds[] = {{SplitType::kTfRecord, tf_record},
                                               {SplitType::kRecordIo, record_io}};
  for (const auto& [type, frame] : kinds) {
    job_.format.split_type = type;
    job_.format.assemble_with = AssembleWith::kNone;
    job_.format.max_payload_bytes = 48;
    job_.if_exists = IfExists::kOverwrite;
    input_.put("a", frame("one") + frame("two") + frame("three") + frame(std::string(30, 'x')));
    const size_t seen = bodies().size();
    job_.format.batch_strategy = BatchStrategy::kMultiRecord;
    outputs();
    std::vector<std::string> multi = bodies();
    multi.erase(multi.begin(), multi.begin() + static_cast<std::ptrdiff_t>(seen));
    std::string together;
    for (const std::string& body : multi) together += body;
    EXPECT_EQ(together, *input_.get("a"));
    EXPECT_EQ(multi[0].substr(0, frame("one").size()), frame("one"));
    job_.format.batch_strategy = BatchStrategy::kSingleRecord;
    outputs();
    std::vector<std::string> single = bodies();
    single.erase(single.begin(), single.begin() + static_cast<std::ptrdiff_t>(seen + multi.size()));
    EXPECT_EQ(single, (std::vector<std::string>{"one", "two", "three", std::string(30, 'x')}));
  }
}

TEST_F(Formats, FramedObjectsGiveTheSameOutputWhateverTheParts) {
  std::string frames, expected;
  for (int i = 0; i < 200; ++i) {
    const std::string data =
        "record-" + std::to_string(i) + std::string(static_cast<size_t>(i % 9), 'x');
    frames += tf_record(data);
    expected += "<" + data + ">\n";
  }
  input_.put("a", frames);
  job_.format.split_type = SplitType::kTfRecord;
  job_.if_exists = IfExists::kOverwrite;
  for (const uint64_t part_bytes : {1U, 100U, 1000U, 1000000U}) {
    job_.part_bytes = part_bytes;
    EXPECT_EQ(only_output(), expected) << part_bytes;
  }
}

TEST_F(Formats, ADamagedFrameIsNamedWithItsNumberAndByteInWhateverPart) {
  std::string frames;
  for (int i = 0; i < 20; ++i) frames += tf_record("record-" + std::to_string(10 + i));
  frames[12 * 25 + 12] ^= 1;
  input_.put("a", frames);
  job_.format.split_type = SplitType::kTfRecord;
  job_.if_exists = IfExists::kOverwrite;
  for (const uint64_t part_bytes : {50U, 100000U}) {
    job_.part_bytes = part_bytes;
    EXPECT_EQ(only_error(),
              "s3://in/a: record 13 (byte 300): the bytes of this TFRecord do not match their "
              "checksum (CRC-32C)");
  }
}

TEST_F(Formats, ATruncatedFrameIsNamed) {
  input_.put("a", tf_record("one") + tf_record("two").substr(0, 15));
  job_.format.split_type = SplitType::kTfRecord;
  EXPECT_EQ(only_error(),
            "s3://in/a: record 2 (byte 19): the object ends inside the frame at byte 19: 15 of "
            "its 19 bytes are there");
}

TEST_F(Formats, AJsonArrayComesOutAsOne) {
  input_.put("a", " [ {\"x\":1}, \"two\"\n,3 ]");
  job_.format.content_type = job_.format.accept = "application/json";
  job_.format.split_type = SplitType::kJsonArray;
  job_.format.assemble_with = AssembleWith::kNone;
  EXPECT_EQ(only_output(), "[<{\"x\":1}>,\n<\"two\">,\n<3>]\n");
}

TEST_F(Formats, AnEmptyJsonArrayComesOutAsOne) {
  input_.put("a", "[ ]");
  job_.format.content_type = job_.format.accept = "application/json";
  job_.format.split_type = SplitType::kJsonArray;
  job_.format.assemble_with = AssembleWith::kNone;
  EXPECT_EQ(only_output(), "[]\n");
}

TEST_F(Formats, AJsonArrayMayBecomeLines) {
  input_.put("a", "[1,2]");
  job_.format.content_type = "application/json";
  job_.format.accept = "application/jsonlines";
  job_.format.split_type = SplitType::kJsonArray;
  EXPECT_EQ(only_output(), "<1>\n<2>\n");
}

TEST_F(Formats, ElementsOfAnArrayAreJoinedWithTheirResults) {
  handler_.answer_with([](std::string_view) { return std::string("9"); });
  input_.put("a", "[{\"x\":1.50},7]");
  job_.format.content_type = job_.format.accept = "application/json";
  job_.format.split_type = SplitType::kJsonArray;
  job_.format.assemble_with = AssembleWith::kNone;
  job_.format.join_source = record::JoinSource::kInput;
  EXPECT_EQ(
      only_output(),
      "[{\"SageMakerOutput\":9,\"x\":1.50},\n{\"SageMakerInput\":7,\"SageMakerOutput\":9}]\n");
}

TEST_F(Formats, AContainerIsSentAnArrayAndItsReplyIsTakenApart) {
  as_container();
  handler_.answer_with([](std::string_view record) { return std::string(record); });
  handler_.between_replies = ",";
  handler_.before_replies = "[";
  handler_.after_replies = "]";
  input_.put("a", "[1,22,333,4444]");
  job_.format.content_type = job_.format.accept = "application/json";
  job_.format.split_type = SplitType::kJsonArray;
  job_.format.assemble_with = AssembleWith::kNone;
  job_.format.max_payload_bytes = 9;
  EXPECT_EQ(only_output(), "[1,\n22,\n333,\n4444]\n");
  EXPECT_EQ(bodies(), (std::vector<std::string>{"[1,22]", "[333]", "[4444]"}));
}

TEST_F(Formats, GzipIsUnpackedAndNeverCut) {
  const std::string text = testing::lines("a", 500);
  input_.put("a.gz", gzip(text.substr(0, 1000)) + gzip(text.substr(1000)));
  job_.format.compression_type = record::CompressionType::kGzip;
  job_.part_bytes = 50;
  Progress last;
  progress_ = [&](const Progress& progress) { last = progress; };
  const auto all = outputs();
  EXPECT_EQ(all.at("out/a.gz.out"), testing::answered(text));
  EXPECT_EQ(last.records_done, 500U);
  EXPECT_EQ(last.bytes_done, last.bytes_total);
}

TEST_F(Formats, DamagedGzipFailsTheObjectAndLeavesNothing) {
  input_.put("a.gz", gzip(testing::lines("a", 500)).substr(0, 700));
  input_.put("b.gz", "no gzip data\n");
  job_.format.compression_type = record::CompressionType::kGzip;
  const auto report = run();
  ASSERT_TRUE(report);
  EXPECT_THAT(report->objects[0].error, HasSubstr("it was cut off"));
  EXPECT_THAT(report->objects[1].error, HasSubstr("s3://in/b.gz: not gzip data"));
  EXPECT_TRUE(output_.all().empty());
}

TEST_F(Formats, TextInAnotherEncodingIsReadAsUtf8) {
  input_.put("a", "caf\xE9\nna\xEFve\n");
  job_.format.encoding = record::TextEncoding::kCp1252;
  EXPECT_EQ(only_output(), "<caf\u00E9>\n<na\u00EFve>\n");
}

TEST_F(Formats, CompressedUtf16WithACsvHeaderIsJoinedInUtf8) {
  std::string utf16 = "\xFF\xFE";
  for (const char c : std::string("id,t\n1,x\n")) utf16 += {c, '\0'};
  utf16 += std::string("2\0,\0\x3D\xD8\n\0", 8);  // half a surrogate pair
  input_.put("a", gzip(utf16));
  job_.format.content_type = job_.format.accept = "text/csv";
  job_.format.csv.rfc4180 = job_.format.csv.header = job_.format.csv.byte_order_mark = true;
  job_.format.compression_type = record::CompressionType::kGzip;
  job_.format.encoding = record::TextEncoding::kUtf16;
  job_.format.join_source = record::JoinSource::kInput;
  handler_.traits_.result_columns = {"r"};
  handler_.answer_with([](std::string_view) { return std::string("y"); });
  EXPECT_EQ(only_output(), "\xEF\xBB\xBFid,t,r\n1,x,y\n2,\uFFFD,y\n");
}

TEST_F(Formats, TheByteOrderMarkStandsOnceBeforeAllParts) {
  input_.put("a", testing::lines("a", 100));
  job_.format.accept = "text/csv";
  job_.format.csv.byte_order_mark = true;
  job_.part_bytes = 100;
  EXPECT_EQ(only_output(), "\xEF\xBB\xBF" + testing::answered(*input_.get("a")));
}

}  // namespace
}  // namespace millrace::transform
