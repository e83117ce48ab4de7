// Lines by newline; CSV rows by the same cutter that cuts the input.
#include "record/reply_records.h"

#include <fmt/format.h>

#include <limits>

#include "record/cutter.h"

namespace millrace::record {

namespace {

std::string_view noun(MediaType media) {
  return media == MediaType::kCsv ? "CSV rows" : "lines";
}

RecordSpan span_of(std::string_view body, size_t start, size_t end, MediaType media) {
  if (end > start && body[end - 1] == '\n') --end;
  if (media != MediaType::kText && end > start && body[end - 1] == '\r') --end;
  return {static_cast<uint32_t>(start), static_cast<uint32_t>(end - start)};
}

std::vector<RecordSpan> cut_lines(std::string_view body, MediaType media, size_t count) {
  std::vector<RecordSpan> spans;
  spans.reserve(count);
  for (size_t start = 0; start < body.size();) {
    const size_t newline = body.find('\n', start);
    const size_t end = newline == std::string_view::npos ? body.size() : newline + 1;
    spans.push_back(span_of(body, start, end, media));
    start = end;
  }
  return spans;
}

// CSV rows, or the elements of an array: what the cutter calls records.
Result<std::vector<RecordSpan>> cut_with(Cutter& cutter, std::string_view body, size_t count) {
  std::vector<RecordSpan> spans;
  spans.reserve(count);
  size_t start = 0;
  for (; start < body.size();) {
    const std::string_view rest = body.substr(start);
    size_t size = cutter.find_end(rest, true);
    if (size == Cutter::kBroken) return fail(bad_input(cutter.cause(start)));
    if (size == Cutter::kNotYet) {
      MR_TRY(cutter.check_end(rest, start));
      size = rest.size();
    }
    if (cutter.is_record(rest.substr(0, size))) {
      spans.push_back(span_of(body, start, start + size, MediaType::kCsv));
    }
    cutter.taken(size);
    start += size;
  }
  MR_TRY(cutter.check_end({}, start));
  return spans;
}

Error too_large(std::string_view body) {
  return bad_input(fmt::format("the reply is too large: {} bytes", body.size()));
}

Error wrong_count(size_t count, size_t found, std::string_view what) {
  return bad_input(fmt::format("the reply to {} records holds {} {}: it must hold {}", count, found,
                               what, count));
}

}  // namespace

Result<std::vector<RecordSpan>> reply_records(std::string_view body, MediaType media,
                                              char csv_delimiter, size_t count) {
  if (body.size() > std::numeric_limits<uint32_t>::max()) {
    return fail(too_large(body));
  }
  if (media == MediaType::kJson && count == 1) {
    return std::vector<RecordSpan>{span_of(body, 0, body.size(), media)};
  }
  std::vector<RecordSpan> spans;
  if (media == MediaType::kCsv) {
    const auto cutter = make_csv_cutter(csv_delimiter, false);
    auto rows = cut_with(*cutter, body, count);
    if (!rows) return fail(std::move(rows).error().within("the model's reply"));
    spans = std::move(*rows);
  } else {
    spans = cut_lines(body, media, count);
  }
  if (spans.size() != count) return fail(wrong_count(count, spans.size(), noun(media)));
  return spans;
}

Result<std::vector<RecordSpan>> reply_elements(std::string_view body, size_t count) {
  if (body.size() > std::numeric_limits<uint32_t>::max()) return fail(too_large(body));
  const auto cutter = make_json_array_cutter();
  auto spans = cut_with(*cutter, body, count);
  if (!spans) return fail(std::move(spans).error().within("the model's reply"));
  if (spans->size() != count) return fail(wrong_count(count, spans->size(), "elements"));
  return spans;
}

}  // namespace millrace::record
