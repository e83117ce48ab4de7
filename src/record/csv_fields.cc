// One reader of quoted fields serves the parser, the quick check and the joins, so that they cannot
// disagree about where a field ends.
#include "record/csv_fields.h"

#include <fmt/format.h>

#include <algorithm>

#include "record/join.h"

namespace millrace::record {

namespace {

constexpr size_t kNone = std::string_view::npos;

struct QuotedField {
  size_t end = 0;        // of the field: at its delimiter or the record's end
  size_t closed = 0;     // the quote that closes it
  bool doubled = false;  // there are quotes inside
};

// The field whose quote opens at `open`; nothing where it is not closed.
std::optional<QuotedField> quoted_field(std::string_view record, size_t open, char delimiter) {
  QuotedField field;
  size_t at = open + 1;
  for (;;) {
    at = record.find('"', at);
    if (at == kNone) return std::nullopt;
    if (at + 1 >= record.size() || record[at + 1] != '"') break;
    field.doubled = true;
    at += 2;
  }
  field.closed = at;
  field.end = record.find(delimiter, at + 1);
  if (field.end == kNone) field.end = record.size();
  return field;
}

// Where the field that begins at `at` ends: at its delimiter or the record's end; nothing where it
// is quoted and not closed.
std::optional<size_t> end_of_field(std::string_view record, size_t at, char delimiter) {
  if (at < record.size() && record[at] == '"') {
    const auto field = quoted_field(record, at, delimiter);
    return field ? std::optional(field->end) : std::nullopt;
  }
  return std::min(record.find(delimiter, at), record.size());
}

void append_unquoted(std::string_view record, size_t open, const QuotedField& field,
                     std::string* out) {
  size_t from = open + 1;
  while (from < field.closed) {
    const size_t quote = record.find('"', from);
    if (quote >= field.closed) break;
    out->append(record.substr(from, quote + 1 - from));
    from = quote + 2;
  }
  out->append(record.substr(from, field.closed - from));
  out->append(record.substr(field.closed + 1, field.end - field.closed - 1));
}

}  // namespace

Status CsvFields::parse(std::string_view record, char delimiter) {
  fields_.clear();
  unquoted_.clear();
  unquoted_.reserve(record.size());  // so that views into it stay valid
  size_t at = 0;
  for (;;) {
    size_t end = 0;
    if (at < record.size() && record[at] == '"') {
      const auto field = quoted_field(record, at, delimiter);
      if (!field) return fail(unclosed_quote_error(at));
      end = field->end;
      if (!field->doubled && field->closed + 1 == end) {
        fields_.push_back(record.substr(at + 1, field->closed - at - 1));
      } else {
        const size_t start = unquoted_.size();
        append_unquoted(record, at, *field, &unquoted_);
        fields_.push_back(std::string_view(unquoted_).substr(start));
      }
    } else {
      end = record.find(delimiter, at);
      if (end == kNone) end = record.size();
      fields_.push_back(record.substr(at, end - at));
    }
    if (end >= record.size()) return {};
    at = end + 1;
  }
}

Status csv_field_slices(std::string_view record, char delimiter,
                        std::vector<std::string_view>* fields) {
  fields->clear();
  for (size_t at = 0;;) {
    const auto end = end_of_field(record, at, delimiter);
    if (!end) return fail(unclosed_quote_error(at));
    fields->push_back(record.substr(at, *end - at));
    if (*end >= record.size()) return {};
    at = *end + 1;
  }
}

std::optional<size_t> find_unclosed_quote(std::string_view record, char delimiter) {
  size_t quote = record.find('"');
  while (quote != kNone) {
    size_t from = quote + 1;
    if (quote == 0 || record[quote - 1] == delimiter) {
      const auto field = quoted_field(record, quote, delimiter);
      if (!field) return quote;
      from = field->end;
    }
    quote = record.find('"', from);
  }
  return std::nullopt;
}

Error unclosed_quote_error(size_t at) {
  return bad_input(
      fmt::format("not CSV: the quote at byte {} of the record is not closed (where quoted fields "
                  "hold line ends, cut the object with --csv rfc4180)",
                  at));
}

size_t count_csv_fields(std::string_view record, char delimiter) {
  size_t count = 1;
  for (size_t at = 0;; ++count) {
    const size_t end = end_of_field(record, at, delimiter).value_or(record.size());
    if (end >= record.size()) return count;
    at = end + 1;
  }
}

Result<std::vector<std::string>> parse_csv_record(std::string_view record, char delimiter) {
  CsvFields fields;
  MR_TRY(fields.parse(record, delimiter));
  std::vector<std::string> copies;
  copies.reserve(fields.size());
  for (size_t i = 0; i < fields.size(); ++i) copies.emplace_back(fields[i]);
  return copies;
}

void append_csv_field(std::string_view field, char delimiter, std::string* out) {
  const char special[] = {delimiter, '"', '\n', '\r'};
  if (field.find_first_of(std::string_view(special, sizeof special)) == kNone) {
    out->append(field);
    return;
  }
  out->push_back('"');
  for (size_t from = 0;;) {
    const size_t quote = field.find('"', from);
    out->append(field.substr(from, quote == kNone ? kNone : quote + 1 - from));
    if (quote == kNone) break;
    out->push_back('"');
    from = quote + 1;
  }
  out->push_back('"');
}

Status join_csv(std::string_view record, std::string_view result, const CsvOptions& csv,
                std::string* out) {
  if (const auto at = find_unclosed_quote(record, csv.delimiter)) {
    return fail(unclosed_quote_error(*at));
  }
  if (const auto at = find_unclosed_quote(result, csv.delimiter)) {
    return fail(bad_input(
        fmt::format("the reply is not CSV: the quote at its byte {} is not closed", *at)));
  }
  out->append(record);
  out->push_back(csv.delimiter);
  out->append(result);
  return {};
}

}  // namespace millrace::record
