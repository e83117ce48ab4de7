// A record fails as a whole and alone: what it had added to the slice is taken back.
#include "handler/native_slice.h"

#include <algorithm>

#include "base/limits.h"
#include "handler/cut_records.h"
#include "handler/reply_writer.h"
#include "handler/workspace.h"

namespace millrace::handler {

namespace {

using record::MediaType;

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// Fields of a record as a message quotes them: 0: 'Great app', 1: '5', ...
std::string quoted_fields(const record::CsvFields& fields) {
  std::string out;
  for (size_t i = 0; i < fields.size(); ++i) {
    if (out.size() > limits::kErrorExcerptBytesMax) return out + ", ...";
    if (i > 0) out += ", ";
    constexpr size_t kFieldBytesMax = 40;
    std::string_view field = fields[i];
    const bool cut = field.size() > kFieldBytesMax;
    if (cut) field = field.substr(0, kFieldBytesMax);
    out += std::to_string(i) + ": '";
    for (const char c : field) out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    out += cut ? "...'" : "'";
  }
  return out;
}

}  // namespace

void NativeSlice::prepare(Workspace& workspace) {
  for (uint32_t r = range_.record_begin; r < range_.record_end; ++r) {
    const RecordSpan& span = request_->records()[r];
    std::string_view text = request_->body().substr(span.offset, span.length);
    if (r + 1 == range_.record_end) text = text.substr(0, range_.end);
    if (r == range_.record_begin) text.remove_prefix(range_.offset);
    cut_records(request_->media(), request_->csv_delimiter(), text, &workspace.cuts);
    for (const RecordSpan& cut : workspace.cuts) {
      prepare_item(r, text.substr(cut.offset, cut.length), workspace);
    }
  }
}

void NativeSlice::prepare_item(uint32_t record, std::string_view text, Workspace& workspace) {
  RecordItem item;
  item.record = record;
  item.first_row = static_cast<uint32_t>(block.rows.size());
  InvokeCounts counts;
  Status status = read_item(text, workspace);
  if (status) status = make_rows(workspace, &counts);
  if (status) {
    item.row_count = static_cast<uint32_t>(block.rows.size()) - item.first_row;
    item.shape = workspace.record.shape;
    item.parameters = workspace.record.parameters;
    result_.counts += counts;
  } else {
    block.shrink(item.first_row);
    kinds_.resize(item.first_row);
    echoed_.shrink(item.first_row);
    item.failed = true;
    result_.messages.push_back(std::move(status).error().message);
  }
  result_.items.push_back(item);
}

Status NativeSlice::read_item(std::string_view text, Workspace& workspace) {
  ParsedRecord& parsed = workspace.record;
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  if (request_->media() == MediaType::kCsv) return read_csv(text, workspace);
  if (request_->media() != MediaType::kText) return workspace.json.read(text, &parsed);
  parsed.clear();
  parsed.rows.emplace_back().text = text;
  return {};
}

Status NativeSlice::read_csv(std::string_view text, Workspace& workspace) {
  record::CsvFields& fields = workspace.csv;
  ParsedRecord& parsed = workspace.record;
  parsed.clear();
  MR_TRY(fields.parse(text, request_->csv_delimiter()));
  const std::optional<uint32_t> column = request_->text_column();
  if (!column && fields.size() > 1) {
    return fail(bad_input(
        "the CSV record has " + std::to_string(fields.size()) +
        " columns and nothing says which is the text: set --text-column (MILLRACE_TEXT_COLUMN) to "
        "its index; the record's fields are " +
        quoted_fields(fields)));
  }
  if (column.value_or(0) >= fields.size()) {
    return fail(bad_input("the CSV record has no column " + std::to_string(*column) +
                          ", which is to be the text (counted from 0); its fields are " +
                          quoted_fields(fields)));
  }
  parsed.rows.emplace_back().text = fields[column.value_or(0)];
  return {};
}

Status NativeSlice::make_rows(Workspace& workspace, InvokeCounts* counts) {
  const bool json =
      request_->media() == MediaType::kJson || request_->media() == MediaType::kJsonLines;
  const TextSource source = json ? TextSource::kJson : TextSource::kField;
  const ParsedRecord& parsed = workspace.record;
  if (parsed.invalid_utf8) ++counts->invalid_utf8;
  for (size_t i = 0; i < parsed.rows.size(); ++i) {
    auto kind = make_row(request_->context(), parsed.rows[i], source, parsed.parameters.max_length,
                         workspace, &block, counts);
    if (!kind) {
      Error error = std::move(kind).error();
      if (parsed.shape != RecordShape::kList) return fail(std::move(error));
      return fail(std::move(error).within("text " + std::to_string(i)));
    }
    kinds_.push_back(*kind);
    if (request_->context().options.echo_input) {
      echoed_.add(parsed.rows[i], request_->csv_reply(), request_->csv_delimiter());
    }
  }
  return {};
}

// A record whose rows are done in any order counts by and by, so rows stand for records here.
void NativeSlice::row_answered(const RowBlock::Row& row) {
  const auto& answered = request_->answered();
  if (!answered) return;
  const size_t rows = rows_told_.fetch_add(1, std::memory_order_relaxed);
  const size_t ids = ids_told_.fetch_add(row.length, std::memory_order_relaxed);
  answered(records_until(rows + 1) - records_until(rows),
           bytes_until(ids + row.length) - bytes_until(ids));
}

uint32_t NativeSlice::records_until(size_t rows) const {
  const uint64_t records = request_->records_in(range_);
  return static_cast<uint32_t>(block.rows.empty() ? records : records * rows / block.rows.size());
}

uint64_t NativeSlice::bytes_until(size_t ids) const {
  const uint64_t bytes = request_->bytes_in(range_);
  return block.ids.empty() ? bytes : bytes * ids / block.ids.size();
}

// Rows that needed no encoder, and records that have none.
void NativeSlice::tell_the_rest() const {
  const auto& answered = request_->answered();
  if (!answered) return;
  const size_t rows = rows_told_.load(std::memory_order_relaxed);
  const size_t ids = ids_told_.load(std::memory_order_relaxed);
  const uint32_t told = block.rows.empty() ? 0 : records_until(rows);
  const uint64_t bytes_told = block.ids.empty() ? 0 : bytes_until(ids);
  answered(request_->records_in(range_) - told, request_->bytes_in(range_) - bytes_told);
}

void NativeSlice::finish(Workspace& workspace) {
  tell_the_rest();
  result_.counts.duplicates += block.duplicates;
  result_.counts.cached += block.cached;
  std::vector<std::string> read_messages = std::move(result_.messages);
  result_.messages.clear();
  size_t next_message = 0;
  ReplyWriter writer(request_->context(), request_->csv_reply(), request_->csv_delimiter(),
                     workspace, &result_.reply);
  for (RecordItem& item : result_.items) {
    if (item.failed) {
      result_.messages.push_back(std::move(read_messages[next_message++]));
      continue;
    }
    const size_t begin = result_.reply.size();
    const RowResults rows{&block, std::span(kinds_).subspan(item.first_row, item.row_count),
                          item.first_row,
                          request_->context().options.echo_input ? &echoed_ : nullptr};
    if (Status status = writer.append_record(item.parameters, item.shape, rows); !status) {
      item.failed = true;
      result_.messages.push_back(std::move(status).error().message);
    }
    item.reply_length = static_cast<uint32_t>(result_.reply.size() - begin);
  }
  // Only the reply is still needed; the window may keep the slice for a while.
  block = RowBlock();
  kinds_ = {};
  echoed_ = {};
  const std::shared_ptr<NativeRequest> request = std::move(request_);
  request->slice_done();
}

}  // namespace millrace::handler
