// One request on its way through the scheduler: gives its records out in slices, collects what
// becomes of them, and answers when the last slice is done.
#pragma once

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "handler/inference_handler.h"
#include "handler/native_context.h"
#include "handler/record_reader.h"
#include "handler/slice.h"
#include "record/cutter.h"
#include "record/format.h"

namespace millrace::handler {

// What a content type calls a record; a record of the request is nearly always one of these, but
// one that is a whole object (SplitType None) may have many.
struct RecordItem {
  uint32_t record = 0;  // of the request
  uint32_t first_row = 0;
  uint32_t row_count = 0;
  uint32_t reply_length = 0;
  RecordShape shape = RecordShape::kText;
  bool failed = false;
  RecordParameters parameters;
};

// What a slice leaves behind: its items in order, their replies one after the other without line
// ends, and the messages of those that failed, in order.
struct SliceResult {
  std::vector<RecordItem> items;
  std::string reply;
  std::vector<std::string> messages;
  InvokeCounts counts;
};

// Which bytes of a request are a slice's: whole records, or a piece of one large one.
struct SliceRange {
  uint32_t record_begin = 0;
  uint32_t record_end = 0;
  uint32_t offset = 0;  // in the first record
  uint32_t end = 0;     // in the last record
};

// bad_input: the native model reads no such content type, or answers with no such Accept.
Status check_native_types(const std::string& content_type, std::string_view accept);

class NativeRequest final : public Task, public std::enable_shared_from_this<NativeRequest> {
 public:
  // bad_input: a content type, Accept or text column that no request can have.
  static Result<std::shared_ptr<NativeRequest>> make(std::shared_ptr<const NativeContext> context,
                                                     InvokeRequest request);
  ~NativeRequest() override;

  std::future<Result<InvokeReply>> future() { return promise_.get_future(); }
  // No records at all: answers at once.
  bool empty() const { return request_.records.empty(); }
  void answer_empty();

  std::shared_ptr<Slice> next_slice() override;
  bool cancelled() const override { return request_.cancel.cancelled(); }
  void abandon() override;
  const std::string& group() const override;
  uint64_t order() const override { return request_.order; }
  uint64_t bytes() const override { return request_.body.size(); }

  // For slices.
  const NativeContext& context() const { return *context_; }
  record::MediaType media() const { return media_; }
  bool csv_reply() const { return reply_ == record::MediaType::kCsv; }
  char csv_delimiter() const { return request_.csv_delimiter; }
  std::string_view body() const { return request_.body; }
  const std::vector<RecordSpan>& records() const { return request_.records; }
  std::optional<uint32_t> text_column() const { return text_column_; }
  const std::function<void(uint32_t, uint64_t)>& answered() const { return request_.answered; }
  // Of a record that is cut, the last piece is it.
  uint32_t records_in(const SliceRange& range) const;
  uint64_t bytes_in(const SliceRange& range) const;
  // A slice is written; the last one answers the request.
  void slice_done();

 private:
  NativeRequest(std::shared_ptr<const NativeContext> context, InvokeRequest request,
                record::MediaType media, record::MediaType reply);
  Status find_text_column();
  // Where a slice ends that begins at `offset` of a record too large for one.
  size_t cut_large_record(const RecordSpan& record, size_t offset);
  Result<InvokeReply> assemble();
  void answer(Result<InvokeReply> reply);

  const std::shared_ptr<const NativeContext> context_;
  InvokeRequest request_;
  const record::MediaType media_;
  const record::MediaType reply_;
  std::optional<uint32_t> text_column_;  // of CSV records

  // Where the next slice begins.
  uint32_t next_record_ = 0;
  uint32_t next_offset_ = 0;                    // in that record, when it is cut
  std::unique_ptr<record::Cutter> csv_cutter_;  // for a CSV record that is cut

  std::vector<std::unique_ptr<SliceResult>> results_;  // in order
  // Slices that are not done; the last one to be given out is counted from the beginning.
  std::atomic<size_t> open_{1};
  std::atomic<bool> answered_{false};
  std::promise<Result<InvokeReply>> promise_;
};

}  // namespace millrace::handler
