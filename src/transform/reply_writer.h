// ReplyWriter: from replies to the bytes of the output. Where replies are per record they are
// joined with their records if JoinSource says so, and put together exactly as the replies to the
// declared mini-batches would be: a newline between the records of one response, AssembleWith
// between responses.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "handler/inference_handler.h"
#include "record/assembler.h"
#include "record/inference_id.h"
#include "record/join.h"
#include "record/record_filter.h"
#include "transform/csv_columns.h"
#include "transform/placeholder.h"
#include "transform/request_stream.h"
#include "transform/transform_job.h"

namespace millrace::transform {

class ReplyWriter {
 public:
  // All outlive the writer. `columns` has the OutputFilter as it is resolved for the object, which
  // is called `object`; `input_key`: what the source column says, where the job has one.
  ReplyWriter(const TransformJob& job, const handler::HandlerTraits& traits,
              const CsvColumns& columns, const std::string& object, std::string_view input_key);

  // Whether append() will look at the requests' records.
  bool reads_requests() const { return join_ != Join::kNone || rules_.keep_going(); }

  // What stands before the first reply and after the last one: the brackets of a JSON array.
  std::string_view prologue() const { return array_ ? "[" : ""; }
  std::string_view epilogue() const { return array_ ? "]\n" : ""; }

  // Appends to `out` what the reply to `request` contributes. An error names the record; where a
  // refused record costs only itself it is in `refused` (ascending) and is none.
  // REQUIRES: reply.errors is empty, or refused records cost only themselves.
  Status append(const Request& request, const handler::InvokeReply& reply, std::string* out,
                std::vector<handler::RecordError>* refused);

 private:
  enum class Join { kNone, kCsv, kJson };

  Result<std::vector<record::RecordSpan>> count_records(const Request& request,
                                                        const handler::InvokeReply& reply) const;
  void append_separator(std::string* out) const;
  Status append_records(const Request& request, const handler::InvokeReply& reply,
                        const std::vector<record::RecordSpan>& spans, std::string* out,
                        std::vector<handler::RecordError>* refused);
  // One record's piece, from its number, itself and its result.
  Status append_piece(uint64_t number, std::string_view content, std::string_view result,
                      std::string* out);
  Status append_rows(uint64_t number, std::string_view rows, std::string* out);
  Status append_result(std::string_view content, std::string_view result, std::string* out);
  Status join_row(std::string_view content, std::string_view result, std::string* out) const;
  // Gives what stands in `out` from `start` on its inference id and its source column.
  Status complete(uint64_t number, size_t start, std::string* out);
  // Adds the source column to the record that stands in `out` from `start` on.
  Status add_source(size_t start, std::string* out);
  Status append_refused(uint64_t number, std::string_view content, std::string_view cause,
                        std::string* out);
  void end_piece(size_t start, std::string* out);
  bool is_bad_record(std::string_view content) const;

  const record::DataFormat& format_;
  const bool csv_;                               // the results
  const std::optional<uint32_t> input_columns_;  // of a CSV header
  const RecordErrorRules& rules_;
  const Join join_;
  const std::string source_column_;  // "": none
  const std::string source_;         // its value, as CSV or JSON
  // Records of a reply must be told apart although they are not joined.
  const bool counts_records_;
  const bool array_;    // the output is a JSON array; such an object is never cut into parts
  bool begun_ = false;  // an element has been written
  const record::Assembler assembler_;
  record::JsonJoiner json_joiner_;
  std::optional<record::RecordFilter> filter_;  // none: the root
  std::string joined_;                          // what the filter gets
  std::optional<record::InferenceTagger> tagger_;
  std::string untagged_;
  Placeholder placeholder_;
  // The response that is being written has something in it. A part that begins within a response
  // follows what an earlier part wrote.
  bool response_begun_ = true;
};

}  // namespace millrace::transform
