// What goes out to the handler and what comes back, in order and within the job's budget.
#include "transform/reply_queue.h"

#include <chrono>
#include <exception>
#include <utility>

#include "base/limits.h"
#include "transform/halving.h"
#include "transform/parquet_object.h"

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

// The reply to a request that need not be sent.
std::future<Result<handler::InvokeReply>> refuse_unasked(const Request& request) {
  handler::InvokeReply reply;
  reply.records = {{0, 0}};
  reply.errors = {{0, request.problem}};
  std::promise<Result<handler::InvokeReply>> promise;
  promise.set_value(std::move(reply));
  return promise.get_future();
}

}  // namespace

ReplyQueue::ReplyQueue(const PartContext& context, const Part& part, const CsvColumns& columns,
                       const PartOutput& out)
    : context_(context),
      part_(part.index),
      text_column_(columns.text_column),
      object_name_(object_name(context)),
      out_(out),
      writer_(context.job, context.handler.traits(), columns, object_name_, context.object.key) {}

ReplyQueue::~ReplyQueue() {
  if (!waiting_.empty()) context_.cancel.cancel();
  for (Waiting& waiting : waiting_) {
    waiting.reply.wait();
    context_.in_flight.leave(waiting.bytes);
    context_.counters.requests.dropped(waiting.meter);
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
  return buffer_.empty() ? Status() : out_.results.append(buffer_);
}

Status ReplyQueue::make_room(uint64_t bytes) {
  while (waiting_.size() >= limits::kRequestsInFlightMax) MR_TRY(write_front());
  // While anything of ours is in flight we only try: see in_flight.h.
  while (!waiting_.empty()) {
    if (context_.in_flight.try_enter(bytes)) return {};
    MR_TRY(write_front());
  }
  const bool entered = context_.in_flight.enter(bytes, context_.order, context_.cancel);
  return entered ? Status() : fail(cancelled("stopped"));
}

void ReplyQueue::submit(Request request) {
  Waiting waiting;
  waiting.bytes = request.bytes_held();
  waiting.meter = context_.counters.requests.begin({request.offsets.size(), request.source_bytes},
                                                   request.batch.body.size());
  if (!request.problem.empty()) {
    waiting.reply = refuse_unasked(request);
  } else if (halves() || (writer_.reads_requests() && request.original_ends.empty())) {
    waiting.reply = invoke(request.batch.body, request.batch.records, waiting.meter);
  } else {
    waiting.reply = invoke(std::move(request.batch.body), request.batch.records, waiting.meter);
  }
  waiting.request = std::move(request);
  waiting_.push_back(std::move(waiting));
}

std::future<Result<handler::InvokeReply>> ReplyQueue::invoke(
    std::string body, std::vector<record::RecordSpan> records,
    const AnswerMeter::RequestPtr& meter) {
  handler::InvokeRequest request;
  request.content_type = context_.job.format.content_type;
  request.accept = context_.job.format.accept;
  request.object_name = object_name_;
  request.job = context_.job.name;
  request.order = context_.order;
  request.body = std::move(body);
  request.records = std::move(records);
  request.text_column = text_column_;
  request.csv_delimiter = context_.job.format.csv.delimiter;
  request.answered = [meter](uint32_t count, uint64_t bytes) { meter->add(count, bytes); };
  request.cancel = context_.cancel;
  return context_.handler.invoke(std::move(request));
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
  Status written = write_reply_of(front, std::move(reply));
  AnswerMeter& meter = context_.counters.requests;
  if (!written) {
    meter.dropped(front.meter);
    return written;
  }
  meter.written(front.meter);
  return {};
}

Status ReplyQueue::write_reply_of(const Waiting& front, Result<handler::InvokeReply> reply) {
  // While it is asked again in halves, the request is still in flight.
  const bool refused = !reply && reply.error().code == Code::kBadInput;
  if (refused && halves()) reply = answer_by_halves(front, reply.error());
  context_.in_flight.leave(front.bytes);
  if (!reply) {
    if (reply.error().code == Code::kCancelled) return fail(std::move(reply).error());
    return fail(std::move(reply).error().within(request_name(context_.job.format, front.request)));
  }
  return write_reply(front, *reply);
}

// Only where a mini-batch is answered, hence refused, as a whole, and is no more than its records
// one after the other.
bool ReplyQueue::halves() const {
  return context_.job.record_errors.keep_going() &&
         !context_.handler.traits().reads_records_alone &&
         context_.job.format.split_type != record::SplitType::kJsonArray;
}

Result<handler::InvokeReply> ReplyQueue::answer_by_halves(const Waiting& front,
                                                          const Error& refusal) {
  const Request& request = front.request;
  const auto ask = [&](size_t begin, size_t end) -> Result<handler::InvokeReply> {
    const auto& all = request.batch.records;
    std::vector<record::RecordSpan> records(all.begin() + static_cast<std::ptrdiff_t>(begin),
                                            all.begin() + static_cast<std::ptrdiff_t>(end));
    const uint32_t start = begin == 0 ? 0 : all[begin].offset;
    for (record::RecordSpan& span : records) span.offset -= start;
    auto reply = invoke(body_of(request, begin, end), std::move(records), front.meter);
    return take(reply);
  };
  return transform::answer_by_halves(request, refusal, context_.job.format, ask);
}

Status ReplyQueue::write_reply(const Waiting& front, const handler::InvokeReply& reply) {
  const Request& request = front.request;
  MR_TRY(check_errors(request, reply));
  buffer_.clear();
  refused_.clear();
  MR_TRY(writer_.append(request, reply, &buffer_, &refused_));
  MR_TRY(note_refused(request));
  MR_TRY(write_buffer());
  result_.records += request.offsets.size();
  result_.counts += reply.counts;
  return {};
}

// Refused records fail the object here unless they cost only themselves.
Status ReplyQueue::check_errors(const Request& request, const handler::InvokeReply& reply) const {
  if (reply.errors.empty()) return {};
  const handler::RecordError& error = reply.errors.front();
  if (reply.errors.back().record >= request.offsets.size()) {
    return fail(internal_error("the handler refused a record that it was not given"));
  }
  if (context_.job.record_errors.keep_going()) return {};
  return fail(bad_input(record_name(context_.job.format, request.batch.first_record + error.record,
                                    request.offsets[error.record]) +
                        ": " + error.message));
}

// A line for each in the errors file, and one more against the threshold.
Status ReplyQueue::note_refused(const Request& request) {
  for (const handler::RecordError& error : refused_) {
    const uint64_t number = request.batch.first_record + error.record;
    const uint64_t offset = request.offsets[error.record];
    const RefusedRecords one = {
        1, number, record_name(context_.job.format, number, offset) + ": " + error.message};
    result_.refused += one;
    MR_TRY(out_.refusals.add(part_, one));
    MR_TRY(out_.errors.append(error_line(request, error)));
    ++context_.counters.records_failed;
  }
  return {};
}

std::string ReplyQueue::error_line(const Request& request,
                                   const handler::RecordError& error) const {
  const std::string object = context_.input.describe(context_.object.key);
  RefusedRecord refused;
  refused.object = object;
  refused.record = request.batch.first_record + error.record;
  refused.cause = error.message;
  const std::string_view content = request.original(error.record);
  if (!is_parquet(context_.job.format)) {
    refused.offset = request.offsets[error.record];
    refused.content = content;
    return transform::error_line(refused);
  }
  const std::optional<std::string> text = row_text(content);
  if (text) refused.content = *text;
  return transform::error_line(refused);
}

}  // namespace millrace::transform
