// RecordSpan: where one record lies in a body of many. 32 bits suffice because no body is larger
// than 4 GiB (the batcher sees to it).
#pragma once

#include <cstdint>

namespace millrace::record {

// Without its framing (line end, ...).
struct RecordSpan {
  uint32_t offset = 0;
  uint32_t length = 0;

  bool operator==(const RecordSpan&) const = default;
};

}  // namespace millrace::record
