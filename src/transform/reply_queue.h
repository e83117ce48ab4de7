// ReplyQueue: the requests of a part that are with the handler. Submitted in order, their futures
// wait in a queue and are taken from the front: the order of the input is kept by construction.
#pragma once

#include <deque>
#include <future>
#include <optional>
#include <string>
#include <vector>

#include "transform/csv_columns.h"
#include "transform/reply_writer.h"
#include "transform/request_stream.h"
#include "transform/transform_part.h"

namespace millrace::transform {

class ReplyQueue {
 public:
  // All arguments outlive the queue.
  ReplyQueue(const PartContext& context, const Part& part, const CsvColumns& columns,
             const PartOutput& out);
  // Asks the handler to drop what is unanswered and waits until it has.
  ~ReplyQueue();

  // Waits until a request of so many bytes may be in flight; writes replies meanwhile.
  Status make_room(uint64_t bytes);
  // REQUIRES: make_room() for this request.
  void submit(Request request);
  // Writes the replies that have come, up to the first that has not.
  Status write_ready();
  Status write_all();

  // What the part's output begins and ends with: see ReplyWriter.
  Status begin(std::string_view header);
  Status end(bool last_part);

  const PartResult& result() const { return result_; }

 private:
  struct Waiting {
    Request request;  // the body only where the reply writer needs it
    uint64_t bytes = 0;
    AnswerMeter::RequestPtr meter;
    std::future<Result<handler::InvokeReply>> reply;
  };

  Status write_buffer();
  Status write_front();
  Status write_reply_of(const Waiting& front, Result<handler::InvokeReply> reply);
  Status write_reply(const Waiting& front, const handler::InvokeReply& reply);
  std::future<Result<handler::InvokeReply>> invoke(std::string body,
                                                   std::vector<record::RecordSpan> records,
                                                   const AnswerMeter::RequestPtr& meter);
  bool halves() const;
  Result<handler::InvokeReply> answer_by_halves(const Waiting& front, const Error& refusal);
  Status check_errors(const Request& request, const handler::InvokeReply& reply) const;
  Status note_refused(const Request& request);
  std::string error_line(const Request& request, const handler::RecordError& error) const;

  const PartContext& context_;
  const uint32_t part_;
  const std::optional<uint32_t> text_column_;
  const std::string object_name_;
  const PartOutput out_;
  ReplyWriter writer_;
  std::deque<Waiting> waiting_;
  std::string buffer_;                         // one reply's contribution to the output
  std::vector<handler::RecordError> refused_;  // by it
  PartResult result_;
};

}  // namespace millrace::transform
