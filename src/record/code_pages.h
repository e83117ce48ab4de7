// Tables of single-byte encodings; for text_decoder.cc.
#pragma once

#include <cstddef>
#include <cstdint>

namespace millrace::record {

// The characters of bytes 0x80 to 0xFF; 0: the byte stands for none.
extern const uint16_t kCodePage1252[128];
extern const uint16_t kCodePage1258[128];

// A letter and the combining mark behind it, and the one character that NFC makes of them.
struct Composition {
  uint16_t letter;
  uint16_t mark;
  uint16_t both;
};
// Sorted by letter and mark.
extern const Composition kCompositions1258[];
extern const size_t kCompositions1258Count;

}  // namespace millrace::record
