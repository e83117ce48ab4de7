// The batcher makes bodies; what messages and assembly need of each record runs beside it.
#include "transform/request_stream.h"

#include <utility>

#include "base/limits.h"

namespace millrace::transform {
namespace {

record::BatchLimits batch_limits(const record::DataFormat& format,
                                 const handler::HandlerTraits& traits) {
  record::BatchLimits batch;
  batch.strategy = format.batch_strategy;
  batch.payload_bytes_max = format.max_payload_bytes;
  batch.json_array =
      format.split_type == record::SplitType::kJsonArray && !traits.reads_records_alone;
  if (traits.reads_records_alone) {
    // One record a request would only cost; the replies are told apart anyway.
    batch.strategy = record::BatchStrategy::kMultiRecord;
    batch.cut_bytes = limits::kRequestBytesMax;
    batch.cut_records = limits::kRequestRecordsMax;
  }
  return batch;
}

template <class T>
std::vector<T> take_front(std::vector<T>* all, size_t count) {
  const auto end = all->begin() + static_cast<std::ptrdiff_t>(count);
  std::vector<T> front(all->begin(), end);
  all->erase(all->begin(), end);
  return front;
}

}  // namespace

RequestStream::RequestStream(RecordStream& records, const record::DataFormat& format,
                             const handler::HandlerTraits& traits)
    : records_(records),
      batcher_(batch_limits(format, traits), records.next_record()),
      mini_batches_(format, records.next_record()) {}

Result<Request> RequestStream::next() {
  if (bad_) return *std::exchange(bad_, std::nullopt);
  record::Record record;
  while (!ended_) {
    Result<bool> found = records_.next(&record);
    if (!found || !*found) {
      ended_ = true;
      if (!found) end_ = fail(std::move(found).error());
      break;
    }
    if (!record.problem.empty()) {
      Request bad = take_bad(record);
      Request before = take();
      batcher_.skip();
      if (before.empty()) return bad;
      bad_ = std::move(bad);
      return before;
    }
    begins_.push_back(mini_batches_.begins(record.framed.size()));
    offsets_.push_back(record.offset);
    MR_ASSIGN(const bool complete, batcher_.add(record));
    if (complete) return take();
  }
  Request rest = take();
  if (rest.empty() && !end_) return fail(end_.error());
  return rest;
}

// A request that is no mini-batch: it only carries the record to its place in the output.
Request RequestStream::take_bad(const record::Record& record) {
  Request bad;
  bad.problem = record.problem;
  bad.batch.body = record.content;
  bad.batch.records = {{0, static_cast<uint32_t>(record.content.size())}};
  bad.batch.first_record = records_.next_record() - 1;
  bad.batch.offset = record.offset;
  bad.source_bytes = records_.take_source_bytes().value_or(record.framed.size());
  bad.offsets = {record.offset};
  bad.begins = {mini_batches_.begins(record.framed.size())};
  return bad;
}

Request RequestStream::take() {
  Request request;
  request.batch = batcher_.take();
  request.source_bytes = records_.take_source_bytes().value_or(request.batch.body.size());
  request.offsets = take_front(&offsets_, request.batch.records.size());
  request.begins = take_front(&begins_, request.batch.records.size());
  return request;
}

}  // namespace millrace::transform
