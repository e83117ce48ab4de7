// CRC-32C against its definition, a bit at a time.
#include "record/crc32c.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace millrace::record {
namespace {

uint32_t bit_by_bit(std::string_view bytes) {
  uint32_t crc = ~0U;
  for (const char c : bytes) {
    crc ^= static_cast<uint8_t>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82F63B78U : 0U);
  }
  return ~crc;
}

// RFC 3720, B.4.
TEST(Crc32c, GivesThePublishedValues) {
  std::string ascending, descending;
  for (int i = 0; i < 32; ++i) ascending += static_cast<char>(i);
  for (int i = 31; i >= 0; --i) descending += static_cast<char>(i);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAU);
  EXPECT_EQ(crc32c(std::string(32, '\xFF')), 0x62A8AB43U);
  EXPECT_EQ(crc32c(ascending), 0x46DD794EU);
  EXPECT_EQ(crc32c(descending), 0x113FDB5CU);
  EXPECT_EQ(crc32c("123456789"), 0xE3069283U);
}

TEST(Crc32c, IsTheSameByTableByInstructionAndBitByBitAtEveryLengthAndAlignment) {
  std::mt19937 random(1);
  std::string bytes(200, '\0');
  for (char& c : bytes) c = static_cast<char>(random());
  for (size_t start = 0; start < 9; ++start) {
    for (size_t size = 0; size < 130; ++size) {
      const auto part = std::string_view(bytes).substr(start, size);
      const uint32_t expected = bit_by_bit(part);
      ASSERT_EQ(crc32c_by_table(part), expected) << start << " " << size;
      if (has_crc32c_instruction()) {
        ASSERT_EQ(crc32c_by_instruction(part.data(), part.size()), expected);
      }
    }
  }
}

}  // namespace
}  // namespace millrace::record
