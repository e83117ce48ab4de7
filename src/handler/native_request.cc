// Slices are given out by position alone; nothing of the body is looked at here but where a large
// record may be cut.
#include "handler/native_request.h"

#include <algorithm>

#include "base/limits.h"
#include "handler/cut_records.h"
#include "handler/native_slice.h"
#include "handler/reply_writer.h"

namespace millrace::handler {

namespace {

using record::MediaType;

// What a Content-Type says of the text's encoding, in lower case; "": nothing.
std::string charset_of(std::string_view content_type) {
  std::string lower(content_type);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) {
    return static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  });
  size_t at = lower.find(';');
  while (at != lower.npos) {
    at = lower.find_first_not_of("; \t", at);
    if (at == lower.npos) break;
    constexpr std::string_view kName = "charset=";
    if (lower.compare(at, kName.size(), kName) == 0) {
      const size_t begin = lower.find_first_not_of('"', at + kName.size());
      if (begin == lower.npos) break;
      return lower.substr(begin, lower.find_first_of("\"; \t", begin) - begin);
    }
    at = lower.find(';', at);
  }
  return "";
}

Result<MediaType> content_type_of(const std::string& content_type) {
  constexpr std::string_view kRead =
      "the native model reads application/json, application/jsonlines, text/csv and text/plain";
  const MediaType media = record::media_type(content_type);
  const std::string charset = charset_of(content_type);
  if (media != MediaType::kOther && charset != "" && charset != "utf-8" && charset != "utf8" &&
      charset != "us-ascii") {
    return fail(bad_input("Content-Type '" + content_type +
                          "': the native model reads UTF-8; without the charset, --encoding "
                          "(MILLRACE_ENCODING) says what else the input is written in"));
  }
  if (media != MediaType::kOther) return media;
  if (content_type.empty()) {
    return fail(bad_input("no Content-Type is given; " + std::string(kRead)));
  }
  return fail(bad_input("Content-Type '" + content_type + "': " + std::string(kRead)));
}

// Puts replies in order into one body. A record whose item fails has no reply at all, so what its
// earlier items gave is taken back.
class Assembly {
 public:
  Assembly(InvokeReply* reply, size_t records) : reply_(*reply) { reply_.records.resize(records); }

  void add(SliceResult& result) {
    reply_.counts += result.counts;
    std::string_view rest = result.reply;
    size_t message = 0;
    for (const RecordItem& item : result.items) {
      if (item.record != record_ || items_ == 0) begin_record(item.record);
      ++items_;
      if (item.failed) {
        fail_record(std::move(result.messages[message++]));
      } else if (!failed_) {
        append(rest.substr(0, item.reply_length));
      }
      rest.remove_prefix(item.reply_length);
    }
    result = SliceResult();  // its reply is copied
  }

  void finish() { end_record(); }

 private:
  void begin_record(uint32_t record) {
    end_record();
    record_ = record;
    failed_ = false;
    start_ = reply_.body.size();
    lines_before_ = lines_;
  }

  void append(std::string_view line) {
    if (lines_++ > 0) reply_.body.push_back('\n');
    if (lines_ == lines_before_ + 1) begin_ = reply_.body.size();
    reply_.body.append(line);
  }

  void fail_record(std::string message) {
    if (failed_) return;
    failed_ = true;
    failed_item_ = items_;
    reply_.body.resize(start_);
    lines_ = lines_before_;
    reply_.errors.push_back({record_, std::move(message)});
  }

  void end_record() {
    if (items_ == 0) return;
    if (failed_ && items_ > 1) {
      Error error = bad_input(std::move(reply_.errors.back().message));
      error = std::move(error).within("line or document " + std::to_string(failed_item_));
      reply_.errors.back().message = std::move(error.message);
    } else if (!failed_) {
      reply_.records[record_] = {static_cast<uint32_t>(begin_),
                                 static_cast<uint32_t>(reply_.body.size() - begin_)};
    }
    items_ = 0;
  }

  InvokeReply& reply_;
  size_t lines_ = 0;  // in the body
  // Of the current record:
  uint32_t record_ = 0;
  size_t items_ = 0;
  bool failed_ = false;
  size_t failed_item_ = 0;  // counted from 1
  size_t start_ = 0;        // of the body, with the line end before it
  size_t begin_ = 0;        // of its first reply
  size_t lines_before_ = 0;
};

}  // namespace

Status check_native_types(const std::string& content_type, std::string_view accept) {
  MR_ASSIGN(const MediaType media, content_type_of(content_type));
  const Result<MediaType> reply = reply_type(accept, media);
  return reply ? Status() : fail(reply.error());
}

Result<std::shared_ptr<NativeRequest>> NativeRequest::make(
    std::shared_ptr<const NativeContext> context, InvokeRequest request) {
  MR_ASSIGN(const MediaType media, content_type_of(request.content_type));
  MR_ASSIGN(const MediaType reply, reply_type(request.accept, media));
  if (request.body.size() > UINT32_MAX) {
    return fail(bad_input("the request's body is larger than 4 GiB"));
  }
  if (request.records.empty() && !request.body.empty()) {
    cut_records(media, request.csv_delimiter, request.body, &request.records);
  }
  std::shared_ptr<NativeRequest> made(
      new NativeRequest(std::move(context), std::move(request), media, reply));
  MR_TRY(made->find_text_column());
  return made;
}

NativeRequest::NativeRequest(std::shared_ptr<const NativeContext> context, InvokeRequest request,
                             MediaType media, MediaType reply)
    : context_(std::move(context)), request_(std::move(request)), media_(media), reply_(reply) {}

NativeRequest::~NativeRequest() {
  abandon();
}

Status NativeRequest::find_text_column() {
  if (media_ != MediaType::kCsv) return {};
  text_column_ = request_.text_column;
  if (!text_column_) text_column_ = context_->text_index;
  const std::string& name = context_->options.text_column;
  if (text_column_ || name.empty()) return {};
  return fail(bad_input("--text-column (MILLRACE_TEXT_COLUMN) is the name '" + name +
                        "', and this CSV has no header that says where it stands; "
                        "allowed here: a 0-based index (or a name with --csv-header)"));
}

const std::string& NativeRequest::group() const {
  return request_.job.empty() ? request_.object_name : request_.job;
}

std::shared_ptr<Slice> NativeRequest::next_slice() {
  const std::vector<RecordSpan>& records = request_.records;
  if (next_record_ == records.size()) return nullptr;
  SliceRange range{next_record_, next_record_ + 1, next_offset_, UINT32_MAX};
  const RecordSpan& first = records[next_record_];
  if (first.length > limits::kSliceBytesMax) {
    const size_t end = cut_large_record(first, next_offset_);
    range.end = static_cast<uint32_t>(end);
    next_offset_ = end < first.length ? range.end : 0;
    if (next_offset_ == 0) ++next_record_;
  } else {
    uint64_t bytes = 0;
    while (next_record_ < records.size() && bytes < limits::kSliceBytesMax &&
           next_record_ - range.record_begin < limits::kSliceRecordsMax &&
           records[next_record_].length <= limits::kSliceBytesMax) {
      bytes += records[next_record_++].length;
    }
    range.record_end = next_record_;
  }
  if (next_record_ < records.size()) open_.fetch_add(1, std::memory_order_relaxed);
  results_.push_back(std::make_unique<SliceResult>());
  return std::make_shared<NativeSlice>(shared_from_this(), range, results_.back().get());
}

size_t NativeRequest::cut_large_record(const RecordSpan& record, size_t offset) {
  const std::string_view text = body().substr(record.offset, record.length);
  if (media_ == MediaType::kJson) return text.size();
  const size_t enough = offset + limits::kSliceBytesMax;
  if (enough >= text.size()) return text.size();
  if (media_ != MediaType::kCsv) {
    const size_t newline = text.find('\n', enough);
    return newline == std::string_view::npos ? text.size() : newline + 1;
  }
  const auto cutter = record::make_csv_cutter(request_.csv_delimiter, /*starts_object=*/false);
  while (offset < enough) {
    const size_t length = cutter->find_end(text.substr(offset), /*whole=*/true);
    if (length == record::Cutter::kNotYet) return text.size();
    cutter->taken(length);
    offset += length;
  }
  return offset;
}

uint32_t NativeRequest::records_in(const SliceRange& range) const {
  const bool whole = range.end >= request_.records[range.record_end - 1].length;
  return range.record_end - range.record_begin - (whole ? 0 : 1);
}

uint64_t NativeRequest::bytes_in(const SliceRange& range) const {
  const RecordSpan& last = request_.records[range.record_end - 1];
  const uint64_t begin = request_.records[range.record_begin].offset + range.offset;
  return last.offset + std::min(range.end, last.length) - begin;
}

void NativeRequest::slice_done() {
  if (open_.fetch_sub(1, std::memory_order_acq_rel) == 1) answer(assemble());
}

Result<InvokeReply> NativeRequest::assemble() {
  InvokeReply reply;
  reply.content_type = media_type_name(reply_);
  size_t bytes = 0;
  for (const auto& result : results_) bytes += result->reply.size() + result->items.size();
  if (bytes > UINT32_MAX) {
    return fail(bad_input("the reply would be larger than 4 GiB; send fewer records at a time"));
  }
  reply.body.reserve(bytes);
  Assembly assembly(&reply, request_.records.size());
  for (const auto& result : results_) assembly.add(*result);
  assembly.finish();
  return reply;
}

void NativeRequest::answer_empty() {
  answer(assemble());
}

void NativeRequest::abandon() {
  if (answered_.load(std::memory_order_relaxed)) return;
  answer(fail(millrace::cancelled("the request was cancelled before it was answered")));
}

void NativeRequest::answer(Result<InvokeReply> reply) {
  if (!answered_.exchange(true)) promise_.set_value(std::move(reply));
}

}  // namespace millrace::handler
