// CRC-32C (Castagnoli), the checksum of TFRecord frames. By the CPU's instruction where it has one,
// else eight bytes at a time from tables; both give the same value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace millrace::record {

uint32_t crc32c(std::string_view bytes);

// As TFRecord stores it: rotated and offset, so that a checksum of data that holds checksums is not
// weak.
inline uint32_t masked_crc32c(std::string_view bytes) {
  const uint32_t crc = crc32c(bytes);
  return ((crc >> 15) | (crc << 17)) + 0xA282EAD8U;
}

// For tests: the two ways.
uint32_t crc32c_by_table(std::string_view bytes);
bool has_crc32c_instruction();
// REQUIRES: has_crc32c_instruction().
uint32_t crc32c_by_instruction(const char* bytes, size_t size);

}  // namespace millrace::record
