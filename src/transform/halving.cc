// Depth first and from the left, so that results come in order; as deep as a count has bits.
#include "transform/halving.h"

#include <algorithm>
#include <utility>

#include "record/reply_records.h"
#include "transform/csv_columns.h"

namespace millrace::transform {
namespace {

class Halving {
 public:
  Halving(const record::DataFormat& format, const AskPart& ask) : format_(format), ask_(ask) {}

  // What becomes of records that were refused together.
  Status refuse(size_t begin, size_t end, const Error& refusal) {
    if (end - begin == 1) {
      reply_.records.push_back({static_cast<uint32_t>(reply_.body.size()), 0});
      reply_.errors.push_back({static_cast<uint32_t>(begin), refusal.message});
      return {};
    }
    const size_t middle = begin + (end - begin) / 2;
    MR_TRY(ask(begin, middle));
    return ask(middle, end);
  }

  handler::InvokeReply take() { return std::move(reply_); }

 private:
  Status ask(size_t begin, size_t end) {
    Result<handler::InvokeReply> reply = ask_(begin, end);
    if (reply) return add(*reply, begin, end - begin);
    if (reply.error().code != Code::kBadInput) return fail(std::move(reply).error());
    return refuse(begin, end, reply.error());
  }

  Status add(const handler::InvokeReply& reply, size_t begin, size_t count) {
    std::vector<record::RecordSpan> spans = reply.records;
    if (spans.empty()) {
      MR_ASSIGN(spans, record::reply_records(reply.body, reply_media_type(format_),
                                             format_.csv.delimiter, count));
    }
    const auto start = static_cast<uint32_t>(reply_.body.size());
    for (record::RecordSpan span : spans) {
      span.offset += start;
      reply_.records.push_back(span);
    }
    for (const handler::RecordError& error : reply.errors) {
      reply_.errors.push_back({error.record + static_cast<uint32_t>(begin), error.message});
    }
    reply_.body += reply.body;
    reply_.counts += reply.counts;
    reply_.content_type = reply.content_type;
    return {};
  }

  const record::DataFormat& format_;
  const AskPart& ask_;
  handler::InvokeReply reply_;
};

}  // namespace

std::string body_of(const Request& request, size_t begin, size_t end) {
  const auto& records = request.batch.records;
  const size_t from = begin == 0 ? 0 : records[begin].offset;
  const size_t to = end == records.size() ? request.batch.body.size() : records[end].offset;
  return request.batch.body.substr(from, to - from);
}

Result<handler::InvokeReply> answer_by_halves(const Request& request, const Error& refusal,
                                              const record::DataFormat& format,
                                              const AskPart& ask) {
  Halving halving(format, ask);
  MR_TRY(halving.refuse(0, request.batch.records.size(), refusal));
  return halving.take();
}

}  // namespace millrace::transform
