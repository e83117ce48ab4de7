// Batcher: makes mini-batches, the bodies of requests, of consecutive records: one each
// (SingleRecord) or as many as fit (MultiRecord), greedily from an object's record 0, so that the
// requests are the same whatever parts the object is worked on in.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "record/format.h"
#include "record/record_span.h"
#include "record/splitter.h"

namespace millrace::record {

struct BatchLimits {
  BatchStrategy strategy = BatchStrategy::kMultiRecord;
  uint64_t payload_bytes_max = 0;  // MaxPayloadInMB: a larger record is refused; 0: unlimited
  // A model that reads each record alone lets mini-batches be cut anywhere: a request is closed
  // when it holds this much, to bound what is in flight. 0: only payload_bytes_max counts.
  uint64_t cut_bytes = 0;
  uint32_t cut_records = 0;
  // The records are elements of a JSON array, and under MultiRecord the body is one again.
  bool json_array = false;
};

struct MiniBatch {
  std::string body;                 // the records, as they are sent
  std::vector<RecordSpan> records;  // their contents in it
  uint64_t first_record = 0;        // number in the object
  uint64_t offset = 0;              // of the first record, in the object

  bool empty() const { return records.empty(); }
};

class Batcher {
 public:
  // `first_record`: the number in the object of the first record that will be added.
  Batcher(const BatchLimits& limits, uint64_t first_record)
      : limits_(limits), next_record_(first_record) {}

  // Adds a record, whose bytes are copied. True: a mini-batch is complete (without this record or
  // with it): take() it before the next add(). bad_input where the record is larger than the
  // payload may be (the message counts records from 1); it is then not added, and the records
  // before it are there for take().
  Result<bool> add(const Record& record);

  // Passes over a record that is in no mini-batch. REQUIRES: all that was added has been taken.
  void skip() { ++next_record_; }

  // The mini-batch that is complete or, at the end of the object, what is left (maybe empty()).
  MiniBatch take();

 private:
  void append(MiniBatch* batch, const Record& record);
  bool fits(const Record& record) const;
  bool full() const;
  bool makes_array() const;
  MiniBatch close();

  const BatchLimits limits_;
  uint64_t next_record_;
  MiniBatch current_;
  MiniBatch complete_;
};

}  // namespace millrace::record
