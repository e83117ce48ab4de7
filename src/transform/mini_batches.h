// MiniBatches: where the declared mini-batches of an object begin (BatchStrategy, MaxPayloadInMB),
// without holding their bytes. The rule is record::Batcher's; the scan needs it to start parts at
// boundaries, and the output to end responses there when requests are smaller than mini-batches.
#pragma once

#include <cstdint>

#include "record/format.h"

namespace millrace::transform {

class MiniBatches {
 public:
  // `first_record`: number in the object of the first record; it begins a mini-batch unless all of
  // the object is one.
  MiniBatches(const record::DataFormat& format, uint64_t first_record)
      : single_(format.batch_strategy == record::BatchStrategy::kSingleRecord ||
                format.split_type == record::SplitType::kNone),
        // The request is an array again: '[' and, behind each element, ',' or ']'.
        frame_bytes_(!single_ && format.split_type == record::SplitType::kJsonArray ? 1 : 0),
        payload_bytes_max_(format.max_payload_bytes),
        // An unlimited mini-batch has taken all records before this one.
        bytes_(!single_ && payload_bytes_max_ == 0 && first_record > 0 ? 1 : 0) {}

  // Takes the next record. True: it begins a mini-batch.
  bool begins(uint64_t framed_bytes) {
    const uint64_t bytes = framed_bytes + frame_bytes_;
    const bool too_much = payload_bytes_max_ != 0 && bytes_ + bytes > payload_bytes_max_;
    const bool begins = bytes_ == 0 || single_ || too_much;
    bytes_ = (begins ? frame_bytes_ : bytes_) + bytes;
    return begins;
  }

 private:
  const bool single_;
  const uint64_t frame_bytes_;
  const uint64_t payload_bytes_max_;
  uint64_t bytes_;
};

}  // namespace millrace::transform
