// Frames between Millrace and a Python worker: bytes as python/millrace_worker/channel.py has them.
#include "handler/worker_frames.h"

#include <gtest/gtest.h>

#include <string>

#include "base/limits.h"

namespace millrace::handler {
namespace {

using namespace std::string_literals;

// As Python's struct.pack("<4sIQ", kind, fields, body) writes it.
std::string header(const std::string& kind, uint32_t fields, uint64_t body) {
  std::string out = kind;
  for (int i = 0; i < 4; ++i) out += static_cast<char>(static_cast<unsigned char>(fields >> 8 * i));
  for (int i = 0; i < 8; ++i) out += static_cast<char>(static_cast<unsigned char>(body >> 8 * i));
  return out;
}

TEST(WorkerFrames, ARequestIsItsHeaderAndItsFields) {
  EXPECT_EQ(request_head({{"Content-Type", "text/csv"}, {"Accept", ""}}, 0x0102030405),
            header("MRQ1", 30, 0x0102030405) + "Content-Type\0text/csv\0Accept\0\0"s);
  EXPECT_EQ(request_head({}, 0), header("MRQ1", 0, 0));
}

TEST(WorkerFrames, AReplysHeaderTellsKindAndSizes) {
  for (const auto& [name, kind] : {std::pair{"MRR1", FrameKind::kReady},
                                   {"MRF1", FrameKind::kFailure},
                                   {"MRP1", FrameKind::kReply}}) {
    const auto read = read_frame_header(header(name, 300, 70000));
    ASSERT_TRUE(read) << name;
    EXPECT_EQ(read->kind, kind);
    EXPECT_EQ(read->field_bytes, 300U);
    EXPECT_EQ(read->body_bytes, 70000U);
  }
}

TEST(WorkerFrames, WhatIsNoReplyOrTooLargeIsRefused) {
  EXPECT_EQ(read_frame_header(header("MRQ1", 0, 0)).error().code, Code::kCorruption);
  EXPECT_EQ(read_frame_header(header("HTTP", 0, 0)).error().code, Code::kCorruption);
  EXPECT_TRUE(read_frame_header(header("MRP1", limits::kModelServerTextBytesMax, 0)));
  EXPECT_FALSE(read_frame_header(header("MRP1", limits::kModelServerTextBytesMax + 1, 0)));
  EXPECT_TRUE(read_frame_header(header("MRP1", 0, limits::kReplyBytesMax)));
  EXPECT_FALSE(read_frame_header(header("MRP1", 0, limits::kReplyBytesMax + 1)));
  EXPECT_FALSE(read_frame_header(header("MRP1", 0, ~uint64_t{0})));
}

TEST(WorkerFrames, FieldsEndInZeroBytes) {
  EXPECT_TRUE(read_fields("").empty());
  EXPECT_EQ(read_fields("200\0text/csv\0"s), (std::vector<std::string>{"200", "text/csv"}));
  EXPECT_EQ(read_fields("a\0\0b"s), (std::vector<std::string>{"a", "", "b"}));
}

}  // namespace
}  // namespace millrace::handler
