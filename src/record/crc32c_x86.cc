// The crc32 instruction of SSE 4.2; elsewhere than on x86-64 it is simply not there.
#include <cstddef>
#include <cstdint>

#include "record/crc32c.h"

#ifdef __x86_64__
#include <immintrin.h>

#include <cstring>
#else
#include "base/check.h"
#endif

namespace millrace::record {

#ifdef __x86_64__

bool has_crc32c_instruction() {
  return __builtin_cpu_supports("sse4.2") != 0;
}

__attribute__((target("sse4.2"))) uint32_t crc32c_by_instruction(const char* bytes, size_t size) {
  uint64_t crc = 0xFFFFFFFF;
  for (; size >= 8; bytes += 8, size -= 8) {
    uint64_t word;
    std::memcpy(&word, bytes, sizeof word);
    crc = _mm_crc32_u64(crc, word);
  }
  auto rest = static_cast<uint32_t>(crc);
  for (; size > 0; ++bytes, --size) rest = _mm_crc32_u8(rest, static_cast<uint8_t>(*bytes));
  return ~rest;
}

#else

bool has_crc32c_instruction() {
  return false;
}

uint32_t crc32c_by_instruction(const char*, size_t) {
  MR_CHECK(false);
  return 0;
}

#endif

}  // namespace millrace::record
