// JSON documents end where their brackets do; only then does a line end part one from the next, so
// that an indented document stays whole.
#include "handler/cut_records.h"

#include "record/cutter.h"

namespace millrace::handler {

namespace {

using record::RecordSpan;

constexpr std::string_view kJsonSpace = " \t\r\n";

void add_span(size_t begin, size_t end, std::vector<RecordSpan>* out) {
  out->push_back({static_cast<uint32_t>(begin), static_cast<uint32_t>(end - begin)});
}

void cut_lines(std::string_view text, bool strip_return, std::vector<RecordSpan>* out) {
  for (size_t begin = 0; begin < text.size();) {
    const size_t newline = std::min(text.find('\n', begin), text.size());
    size_t end = newline;
    if (strip_return && end > begin && text[end - 1] == '\r') --end;
    add_span(begin, end, out);
    begin = newline + 1;
  }
}

void cut_csv(char delimiter, std::string_view text, std::vector<RecordSpan>* out) {
  const auto cutter = record::make_csv_cutter(delimiter, /*starts_object=*/false);
  for (size_t begin = 0; begin < text.size();) {
    const std::string_view pending = text.substr(begin);
    size_t length = cutter->find_end(pending, /*whole=*/true);
    if (length == record::Cutter::kNotYet) length = pending.size();
    std::string_view framed = pending.substr(0, length);
    if (cutter->is_record(framed)) {
      if (framed.ends_with('\n')) framed.remove_suffix(1);
      if (framed.ends_with('\r')) framed.remove_suffix(1);
      add_span(begin, begin + framed.size(), out);
    }
    cutter->taken(length);
    begin += length;
  }
}

// Behind the string whose quote stands at `at`.
size_t string_end(std::string_view text, size_t at) {
  for (++at; at < text.size() && text[at] != '"'; ++at) {
    if (text[at] == '\\') ++at;
  }
  return std::min(at + 1, text.size());
}

// Behind the document that begins at `at`, with what else stands on its last line.
size_t document_end(std::string_view text, size_t at) {
  size_t depth = 0;
  while (at < text.size()) {
    const char c = text[at];
    if (c == '"') {
      at = string_end(text, at);
      continue;
    }
    if (c == '{' || c == '[') ++depth;
    if ((c == '}' || c == ']') && depth > 0) --depth;
    if (c == '\n' && depth == 0) return at;
    ++at;
  }
  return at;
}

void cut_documents(std::string_view text, std::vector<RecordSpan>* out) {
  for (size_t begin = text.find_first_not_of(kJsonSpace); begin < text.size();) {
    const size_t end = document_end(text, begin);
    add_span(begin, end, out);
    begin = text.find_first_not_of(kJsonSpace, end);
  }
  if (out->empty()) add_span(0, text.size(), out);
}

}  // namespace

void cut_records(record::MediaType media, char csv_delimiter, std::string_view text,
                 std::vector<RecordSpan>* out) {
  out->clear();
  if (text.find('\n') == std::string_view::npos) {
    add_span(0, text.size(), out);
    return;
  }
  switch (media) {
    case record::MediaType::kJson:
      return cut_documents(text, out);
    case record::MediaType::kCsv:
      return cut_csv(csv_delimiter, text, out);
    case record::MediaType::kJsonLines:
      return cut_lines(text, /*strip_return=*/true, out);
    case record::MediaType::kText:
    case record::MediaType::kOther:
      return cut_lines(text, /*strip_return=*/false, out);
  }
}

}  // namespace millrace::handler
