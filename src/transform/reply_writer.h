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
#include "transform/request_stream.h"
#include "transform/transform_job.h"

namespace millrace::transform {

class ReplyWriter {
 public:
  // All outlive the writer. `filter`: OutputFilter, resolved for the object, which is called
  // `object`; `input_key`: what the source column says, where the job has one.
  ReplyWriter(const TransformJob& job, const record::JsonPath& filter, const std::string& object,
              std::string_view input_key);

  // Whether append() will look at the requests' records.
  bool reads_requests() const { return join_ != Join::kNone; }

  // What stands before the first reply and after the last one: the brackets of a JSON array.
  std::string_view prologue() const { return array_ ? "[" : ""; }
  std::string_view epilogue() const { return array_ ? "]\n" : ""; }

  // Appends to `out` what the reply to `request` contributes. An error names the record.
  // REQUIRES: reply.errors is empty.
  Status append(const Request& request, const handler::InvokeReply& reply, std::string* out);

 private:
  enum class Join { kNone, kCsv, kJson };

  Result<std::vector<record::RecordSpan>> count_records(const Request& request,
                                                        const handler::InvokeReply& reply) const;
  Status append_tagged(uint64_t number, std::string_view record, std::string_view result,
                       std::string* out);
  Status append_result(std::string_view record, std::string_view result, std::string* out);
  Status append_record(const Request& request, size_t record, std::string_view result,
                       std::string* out);
  // Adds the source column to the record that stands in `out` from `start` on.
  Status add_source(size_t start, std::string* out);

  const record::DataFormat& format_;
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
};

}  // namespace millrace::transform
