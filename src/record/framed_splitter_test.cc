// RecordIO and TFRecord: frames, checksums, and what damaged ones say.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "record/crc32c.h"
#include "record/testing.h"

namespace millrace::record {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

DataFormat framed_format(SplitType type, BatchStrategy strategy = BatchStrategy::kMultiRecord) {
  DataFormat format;
  format.content_type = "application/octet-stream";
  format.split_type = type;
  format.batch_strategy = strategy;
  return format;
}

std::string little_endian(uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i));
  return text;
}

std::string record_io(std::string_view data) {
  std::string frame = little_endian(0xCED7230A, 4) + little_endian(data.size(), 4);
  frame += data;
  while (frame.size() % 4 != 0) frame += '\0';
  return frame;
}

std::string tf_record(std::string_view data) {
  const std::string length = little_endian(data.size(), 8);
  return length + little_endian(masked_crc32c(length), 4) + std::string(data) +
         little_endian(masked_crc32c(data), 4);
}

using Frame = std::string (*)(std::string_view);
struct Kind {
  SplitType type;
  Frame frame;
};
const Kind kKinds[] = {{SplitType::kRecordIo, record_io}, {SplitType::kTfRecord, tf_record}};

TEST(FramedSplitter, KeepsFramesUnderMultiRecordAndRemovesThemUnderSingleRecord) {
  const std::vector<std::string> records = {"one", "", "four", std::string(100, '\n'), "5\0x"};
  for (const Kind& kind : kKinds) {
    std::string object;
    std::vector<std::string> frames;
    for (const std::string& data : records) {
      frames.push_back(kind.frame(data));
      object += frames.back();
    }
    for (size_t block : {1U, 3U, 7U, 4096U}) {
      const Split multi = split_all(framed_format(kind.type), object, block);
      EXPECT_EQ(multi.framed, frames);
      EXPECT_EQ(multi.content, records);
      EXPECT_EQ(multi.error, "");
      const Split single =
          split_all(framed_format(kind.type, BatchStrategy::kSingleRecord), object, block);
      EXPECT_EQ(single.framed, records);
      EXPECT_EQ(single.content, records);
      EXPECT_EQ(single.offsets, multi.offsets);
    }
  }
}

TEST(FramedSplitter, MakesNoRecordOfAnEmptyObject) {
  for (const Kind& kind : kKinds) {
    const Split split = split_all(framed_format(kind.type), "");
    EXPECT_THAT(split.framed, IsEmpty());
    EXPECT_EQ(split.error, "");
  }
}

TEST(FramedSplitter, NamesTheByteOfATruncatedFrameWhereverItIsCut) {
  for (const Kind& kind : kKinds) {
    const std::string first = kind.frame("first");
    const std::string object = first + kind.frame("second record");
    const std::string at = "inside the frame at byte " + std::to_string(first.size());
    for (size_t size = first.size() + 1; size < object.size(); ++size) {
      const Split split = split_all(framed_format(kind.type), object.substr(0, size), 5);
      EXPECT_THAT(split.content, ElementsAre("first"));
      EXPECT_THAT(split.error, HasSubstr(at)) << size;
    }
  }
}

TEST(FramedSplitter, RefusesARecordThatIsTooLargeByItsHeaderAlone) {
  for (const Kind& kind : kKinds) {
    const std::string object = kind.frame(std::string(1000, 'x')).substr(0, 12);
    const auto splitter = make_splitter(framed_format(kind.type), 0, 500);
    splitter->feed(object);
    Record record;
    const auto refused = splitter->next(&record);
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message, HasSubstr("the record at byte 0 is larger than 500"));
  }
}

TEST(RecordIoSplitter, SaysWhatStandsWhereAFrameShould) {
  const std::string object = record_io("ok") + "no frame here";
  const Split split = split_all(framed_format(SplitType::kRecordIo), object);
  EXPECT_THAT(split.content, ElementsAre("ok"));
  EXPECT_EQ(split.error,
            "no RecordIO frame at byte 12: it begins with 0x66206f6e, not with 0xced7230a");
}

TEST(RecordIoSplitter, RefusesPiecesOfRecords) {
  std::string object = record_io("ok");
  object[7] = 0x20;  // continuation flag 1
  EXPECT_THAT(split_all(framed_format(SplitType::kRecordIo), object).error,
              HasSubstr("continuation flag 1"));
}

TEST(TfRecordSplitter, MarksARecordWhoseBytesChangedAndGoesOn) {
  std::string object = tf_record("first") + tf_record("second") + tf_record("third");
  object[tf_record("first").size() + 12] ^= 1;
  const auto splitter = make_splitter(framed_format(SplitType::kTfRecord), 0, 1000);
  splitter->feed(object);
  splitter->finish();
  Record record;
  std::vector<std::string> faults;
  while (splitter->next(&record).value()) faults.emplace_back(record.problem);
  EXPECT_THAT(faults, ElementsAre("", HasSubstr("checksum (CRC-32C)"), ""));
}

TEST(TfRecordSplitter, StopsWhereALengthDoesNotMatchItsChecksum) {
  for (size_t byte = 0; byte < 12; ++byte) {
    std::string object = tf_record("first") + tf_record("second");
    object[tf_record("first").size() + byte] ^= 0x10;
    const Split split = split_all(framed_format(SplitType::kTfRecord), object);
    EXPECT_THAT(split.content, ElementsAre("first"));
    EXPECT_EQ(split.error,
              "no TFRecord frame at byte 21: the length does not match its checksum (CRC-32C)");
  }
}

// Files that TensorFlow and others wrote.
TEST(TfRecordSplitter, ReadsForeignFilesToTheirEnd) {
  const char* variable = std::getenv("MILLRACE_TEST_DATA");
  const std::filesystem::path root = variable != nullptr
                                         ? std::filesystem::path(variable)
                                         : std::filesystem::path(MILLRACE_SOURCE_DIR) / "../shared";
  const std::filesystem::path folder = root / "data/conformance/tfrecord";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "no test data: set MILLRACE_TEST_DATA";
  size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string object((std::istreambuf_iterator<char>(file)), {});
    const Split split = split_all(framed_format(SplitType::kTfRecord), object, 1000);
    EXPECT_EQ(split.error, "") << entry.path();
    std::string together;
    for (const std::string& content : split.content) together += tf_record(content);
    EXPECT_EQ(together == object, true) << entry.path();
    ++files;
  }
  EXPECT_GE(files, 5U);
}

}  // namespace
}  // namespace millrace::record
