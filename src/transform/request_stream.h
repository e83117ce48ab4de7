// RequestStream: the requests of a part, made of its records. A request is a declared mini-batch;
// a handler that reads each record alone gets smaller ones, which say where mini-batches begin.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "handler/inference_handler.h"
#include "record/batcher.h"
#include "transform/mini_batches.h"
#include "transform/record_stream.h"

namespace millrace::transform {

struct Request {
  record::MiniBatch batch;
  std::vector<uint64_t> offsets;  // of each record, in the object
  uint64_t source_bytes = 0;      // of the object as it is stored, for the progress
  std::vector<bool> begins;       // for each record: it begins a declared mini-batch
  // Not empty: why the one record in it cannot be used, and is not sent.
  std::string problem;

  bool empty() const { return batch.empty(); }
};

class RequestStream {
 public:
  // `records` outlives the stream.
  RequestStream(RecordStream& records, const record::DataFormat& format,
                const handler::HandlerTraits& traits);

  // The next request; empty() at the end of the part. After an error, what was read before it comes
  // first: the error is given when that has been taken.
  Result<Request> next();

 private:
  Request take();
  Request take_bad(const record::Record& record);

  RecordStream& records_;
  record::Batcher batcher_;
  MiniBatches mini_batches_;
  std::vector<uint64_t> offsets_;  // of the records that the batcher holds
  std::vector<bool> begins_;
  std::optional<Request> bad_;  // comes after what the batcher holds
  bool ended_ = false;
  Status end_;
};

}  // namespace millrace::transform
