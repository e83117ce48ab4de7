// ReplyWriter: from replies to the bytes of the output. Where replies are per record they are
// joined with their records if JoinSource says so, and put together exactly as the replies to the
// declared mini-batches would be: a newline between the records of one response, AssembleWith
// between responses.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "handler/inference_handler.h"
#include "record/assembler.h"
#include "record/join.h"
#include "transform/placeholder.h"
#include "transform/request_stream.h"
#include "transform/transform_job.h"

namespace millrace::transform {

class ReplyWriter {
 public:
  // `job` outlives the writer. `input_columns`: how many a CSV header names, where there is one.
  ReplyWriter(const TransformJob& job, const handler::HandlerTraits& traits,
              std::optional<uint32_t> input_columns);

  // Whether append() will look at the request's body.
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
  Status append_result(std::string_view content, std::string_view result, std::string* out);
  void append_refused(std::string_view content, std::string_view cause, size_t piece_start,
                      std::string* out);
  void end_piece(size_t start, std::string* out);
  bool is_bad_record(std::string_view content) const;

  const record::DataFormat& format_;
  const RecordErrorRules& rules_;
  const Join join_;
  const bool array_;    // the output is a JSON array; such an object is never cut into parts
  bool begun_ = false;  // an element has been written
  const record::Assembler assembler_;
  record::JsonJoiner json_joiner_;
  Placeholder placeholder_;
  // The response that is being written has something in it. A part that begins within a response
  // follows what an earlier part wrote.
  bool response_begun_ = true;
};

}  // namespace millrace::transform
