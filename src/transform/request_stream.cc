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
                             const handler::HandlerTraits& traits, bool keeps_originals)
    : records_(records),
      batcher_(batch_limits(format, traits), records.next_record()),
      mini_batches_(format, records.next_record()),
      keeps_originals_(records.is_filtered() && keeps_originals) {}

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
    MR_ASSIGN(const bool complete, add(record));
    if (complete) return take();
  }
  Request rest = take();
  if (rest.empty() && !end_) return fail(end_.error());
  return rest;
}

Result<bool> RequestStream::add(const record::Record& record) {
  begins_.push_back(mini_batches_.begins(record.framed.size()));
  offsets_.push_back(record.offset);
  source_bytes_.push_back(records_.original_bytes());
  if (keeps_originals_) {
    originals_.append(records_.original());
    original_ends_.push_back(static_cast<uint32_t>(originals_.size()));
  }
  return batcher_.add(record);
}

// A request that is no mini-batch: it only carries the record to its place in the output.
Request RequestStream::take_bad(const record::Record& record) {
  Request bad;
  bad.problem = record.problem;
  bad.batch.body = records_.original();
  bad.batch.records = {{0, static_cast<uint32_t>(bad.batch.body.size())}};
  bad.batch.first_record = records_.next_record() - 1;
  bad.batch.offset = record.offset;
  bad.source_bytes = records_.take_source_bytes().value_or(records_.original_bytes());
  bad.offsets = {record.offset};
  bad.begins = {mini_batches_.begins(record.framed.size())};
  return bad;
}

Request RequestStream::take() {
  Request request;
  request.batch = batcher_.take();
  request.offsets = take_front(&offsets_, request.batch.records.size());
  request.begins = take_front(&begins_, request.batch.records.size());
  uint64_t framed_bytes = 0;  // as they stand in the object, before InputFilter
  for (const uint64_t bytes : take_front(&source_bytes_, request.batch.records.size())) {
    framed_bytes += bytes;
  }
  request.source_bytes = records_.take_source_bytes().value_or(framed_bytes);
  if (keeps_originals_) take_originals(&request);
  return request;
}

// At most one record is ahead of the request: the one that did not fit.
void RequestStream::take_originals(Request* request) {
  request->original_ends = take_front(&original_ends_, request->batch.records.size());
  const uint32_t end = request->original_ends.empty() ? 0 : request->original_ends.back();
  std::string rest = originals_.substr(end);
  originals_.resize(end);
  request->originals = std::exchange(originals_, std::move(rest));
  for (uint32_t& later : original_ends_) later -= end;
}

std::string_view Request::original(size_t record) const {
  if (original_ends.empty()) {
    const record::RecordSpan span = batch.records[record];
    return std::string_view(batch.body).substr(span.offset, span.length);
  }
  const uint32_t start = record == 0 ? 0 : original_ends[record - 1];
  return std::string_view(originals).substr(start, original_ends[record] - start);
}

}  // namespace millrace::transform
