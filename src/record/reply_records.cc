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

Result<std::vector<RecordSpan>> cut_rows(std::string_view body, char delimiter, size_t count) {
  const auto cutter = make_csv_cutter(delimiter, false);
  std::vector<RecordSpan> spans;
  spans.reserve(count);
  for (size_t start = 0; start < body.size();) {
    const std::string_view rest = body.substr(start);
    size_t size = cutter->find_end(rest, true);
    if (size == Cutter::kNotYet) {
      MR_TRY(cutter->check_end(rest, start));
      size = rest.size();
    }
    if (cutter->is_record(rest.substr(0, size))) {
      spans.push_back(span_of(body, start, start + size, MediaType::kCsv));
    }
    cutter->taken(size);
    start += size;
  }
  return spans;
}

}  // namespace

Result<std::vector<RecordSpan>> reply_records(std::string_view body, MediaType media,
                                              char csv_delimiter, size_t count) {
  if (body.size() > std::numeric_limits<uint32_t>::max()) {
    return fail(bad_input(fmt::format("the reply is too large: {} bytes", body.size())));
  }
  if (media == MediaType::kJson && count == 1) {
    return std::vector<RecordSpan>{span_of(body, 0, body.size(), media)};
  }
  std::vector<RecordSpan> spans;
  if (media == MediaType::kCsv) {
    auto rows = cut_rows(body, csv_delimiter, count);
    if (!rows) return fail(std::move(rows).error().within("the model's reply"));
    spans = std::move(*rows);
  } else {
    spans = cut_lines(body, media, count);
  }
  if (spans.size() != count) {
    return fail(bad_input(fmt::format("the reply to {} records holds {} {}: it must hold {}", count,
                                      spans.size(), noun(media), count)));
  }
  return spans;
}

}  // namespace millrace::record
