// What goes out to the handler and what comes back, in order and within the job's budget.
#include "transform/reply_queue.h"

#include <chrono>
#include <exception>
#include <utility>

#include "base/limits.h"

namespace millrace::transform {
namespace {

// As X-Amzn-SageMaker-Input-Object has it: "bucket/key", or a path.
std::string object_name(const PartContext& context) {
  constexpr std::string_view kScheme = "s3://";
  std::string name = context.input.describe(context.object.key);
  return name.starts_with(kScheme) ? name.substr(kScheme.size()) : name;
}

// A handler that breaks its promise is an error of the object, not of the program.
Result<handler::InvokeReply> take(std::future<Result<handler::InvokeReply>>& reply) {
  try {
    return reply.get();
  } catch (const std::exception& e) {
    return fail(internal_error(std::string("the handler gave no reply: ") + e.what()));
  }
}

// "record 7 (byte 812)", or of a request that failed as a whole "records 7 to 12 (from byte 812)".
std::string request_name(const record::DataFormat& format, const Request& request) {
  const uint64_t first = request.batch.first_record;
  const size_t count = request.offsets.size();
  if (count == 1) return record_name(format, first, request.offsets[0]);
  return "records " + std::to_string(first + 1) + " to " + std::to_string(first + count) +
         " (from byte " + std::to_string(request.offsets[0]) + ")";
}

}  // namespace

ReplyQueue::ReplyQueue(const PartContext& context, const CsvColumns& columns,
                       store::ObjectWriter& out)
    : context_(context),
      text_column_(columns.text_column),
      object_name_(object_name(context)),
      out_(out),
      writer_(context.job, columns.filters->output, object_name_, context.object.key) {}

ReplyQueue::~ReplyQueue() {
  if (!waiting_.empty()) context_.cancel.cancel();
  for (Waiting& waiting : waiting_) {
    waiting.reply.wait();
    context_.in_flight.leave(waiting.bytes);
  }
}

Status ReplyQueue::begin(std::string_view header) {
  buffer_.assign(header).append(writer_.prologue());
  return write_buffer();
}

Status ReplyQueue::end(bool last_part) {
  buffer_.assign(last_part ? writer_.epilogue() : "");
  return write_buffer();
}

Status ReplyQueue::write_buffer() {
  result_.bytes += buffer_.size();
  return buffer_.empty() ? Status() : out_.append(buffer_);
}

Status ReplyQueue::make_room(uint64_t bytes) {
  while (waiting_.size() >= limits::kRequestsInFlightMax) MR_TRY(write_front());
  // While anything of ours is in flight we only try: see in_flight.h.
  while (!waiting_.empty()) {
    if (context_.in_flight.try_enter(bytes)) return {};
    MR_TRY(write_front());
  }
  if (!context_.in_flight.enter(bytes, context_.cancel)) return fail(cancelled("stopped"));
  return {};
}

void ReplyQueue::submit(Request request) {
  handler::InvokeRequest invoke;
  invoke.content_type = context_.job.format.content_type;
  invoke.accept = context_.job.format.accept;
  invoke.object_name = object_name_;
  invoke.records = request.batch.records;
  invoke.text_column = text_column_;
  invoke.csv_delimiter = context_.job.format.csv.delimiter;
  invoke.cancel = context_.cancel;

  Waiting waiting;
  waiting.bytes = request.bytes_held();
  if (writer_.reads_requests() && request.original_ends.empty()) {
    invoke.body = request.batch.body;
  } else {
    invoke.body = std::move(request.batch.body);
  }
  waiting.request = std::move(request);
  waiting.reply = context_.handler.invoke(std::move(invoke));
  waiting_.push_back(std::move(waiting));
}

Status ReplyQueue::write_ready() {
  while (!waiting_.empty() &&
         waiting_.front().reply.wait_for(std::chrono::seconds(0)) == std::future_status::ready) {
    MR_TRY(write_front());
  }
  return {};
}

Status ReplyQueue::write_all() {
  while (!waiting_.empty()) MR_TRY(write_front());
  return {};
}

Status ReplyQueue::write_front() {
  Result<handler::InvokeReply> reply = take(waiting_.front().reply);
  const Waiting front = std::move(waiting_.front());
  waiting_.pop_front();
  context_.in_flight.leave(front.bytes);
  if (!reply) {
    if (reply.error().code == Code::kCancelled) return fail(std::move(reply).error());
    return fail(std::move(reply).error().within(request_name(context_.job.format, front.request)));
  }
  return write_reply(front, *reply);
}

Status ReplyQueue::write_reply(const Waiting& front, const handler::InvokeReply& reply) {
  const Request& request = front.request;
  const size_t count = request.offsets.size();
  if (!reply.errors.empty()) {
    const handler::RecordError& error = reply.errors.front();
    if (error.record >= count) {
      return fail(internal_error("the handler refused a record that it was not given"));
    }
    return fail(
        bad_input(record_name(context_.job.format, request.batch.first_record + error.record,
                              request.offsets[error.record]) +
                  ": " + error.message));
  }
  buffer_.clear();
  MR_TRY(writer_.append(request, reply, &buffer_));
  MR_TRY(write_buffer());
  result_.records += count;
  result_.counts += reply.counts;
  context_.counters.records_done += count;
  if (!is_parquet(context_.job.format)) context_.counters.bytes_done += request.source_bytes;
  return {};
}

}  // namespace millrace::transform
