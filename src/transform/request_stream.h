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
  // Under InputFilter, where they will be joined: the contents before it, and where each ends.
  std::string originals;
  std::vector<uint32_t> original_ends;
  // Not empty: why the one record in it cannot be used, and is not sent.
  std::string problem;

  bool empty() const { return batch.empty(); }
  uint64_t bytes_held() const { return batch.body.size() + originals.size(); }
  // The record that the reply is joined to. REQUIRES: the body is there, or original_ends is.
  std::string_view original(size_t record) const;
};

class RequestStream {
 public:
  // `records` outlives the stream. `keeps_originals`: records are wanted as they were before
  // InputFilter, too.
  RequestStream(RecordStream& records, const record::DataFormat& format,
                const handler::HandlerTraits& traits, bool keeps_originals);

  // The next request; empty() at the end of the part. After an error, what was read before it comes
  // first: the error is given when that has been taken.
  Result<Request> next();

 private:
  Result<bool> add(const record::Record& record);
  Request take();
  void take_originals(Request* request);
  Request take_bad(const record::Record& record);

  RecordStream& records_;
  record::Batcher batcher_;
  MiniBatches mini_batches_;
  std::vector<uint64_t> offsets_;  // of the records that the batcher holds
  std::vector<bool> begins_;
  std::vector<uint64_t> source_bytes_;
  const bool keeps_originals_;
  std::string originals_;
  std::vector<uint32_t> original_ends_;
  std::optional<Request> bad_;  // comes after what the batcher holds
  bool ended_ = false;
  Status end_;
};

}  // namespace millrace::transform
