// Where a JSON string has something to look at: sixteen bytes at a time where the CPU's baseline
// has instructions for it, eight elsewhere.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace millrace::record {

// Readable bytes that must follow a text, the first of them zero.
constexpr size_t kJsonScanPadding = 16;

// The first quote, backslash or control character from `at` on. REQUIRES: a text with padding.
inline const char* find_json_special(const char* at) {
#if defined(__SSE2__)
  const __m128i quotes = _mm_set1_epi8('"');
  const __m128i slashes = _mm_set1_epi8('\\');
  const __m128i last_control = _mm_set1_epi8(0x1F);
  for (;; at += sizeof(__m128i)) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const __m128i controls = _mm_cmpeq_epi8(_mm_min_epu8(bytes, last_control), bytes);
    const __m128i found = _mm_or_si128(
        controls, _mm_or_si128(_mm_cmpeq_epi8(bytes, quotes), _mm_cmpeq_epi8(bytes, slashes)));
    const auto mask = static_cast<unsigned>(_mm_movemask_epi8(found));
    if (mask != 0) return at + std::countr_zero(mask);
  }
#else
  static_assert(std::endian::native == std::endian::little);
  constexpr uint64_t kOnes = 0x0101010101010101;
  constexpr uint64_t kHighs = 0x8080808080808080;
  // The high bit of each byte that is below the bound; above the first one, perhaps of others.
  const auto below = [](uint64_t word, uint64_t bound) {
    return (word - kOnes * bound) & ~word & kHighs;
  };
  for (;; at += sizeof(uint64_t)) {
    uint64_t word = 0;
    std::memcpy(&word, at, sizeof word);
    const uint64_t found = below(word, 0x20) | below(word ^ kOnes * uint64_t{'"'}, 1) |
                           below(word ^ kOnes * uint64_t{'\\'}, 1);
    if (found != 0) return at + std::countr_zero(found) / 8;
  }
#endif
}

}  // namespace millrace::record
