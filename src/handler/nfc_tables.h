// What NFC needs to know about code points; nfc_decompositions.cc and nfc_classes.cc are generated.
#pragma once

#include <cstddef>
#include <cstdint>

namespace millrace::handler::nfc {

struct Decomposition {
  uint32_t composed;
  uint32_t first;
  uint32_t second;  // 0: decomposes to `first` alone
  uint8_t one_way;  // 1: first + second do not compose to it again
};

struct ClassRange {
  uint32_t first;
  uint32_t last;
  uint8_t combining_class;
};

extern const Decomposition kDecompositions[];
extern const size_t kDecompositionsSize;
extern const ClassRange kClassRanges[];
extern const size_t kClassRangesSize;

}  // namespace millrace::handler::nfc
