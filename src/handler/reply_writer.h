// Writes results as text: the shapes of Hugging Face's pipeline, or those that MILLRACE_OUTPUT
// names.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "handler/echoed_texts.h"
#include "handler/native_context.h"
#include "handler/record_reader.h"
#include "handler/row_maker.h"
#include "handler/slice.h"
#include "record/format.h"

namespace millrace::handler {

// kJson, kJsonLines or kCsv: what `accept` asks for (the first type of a list that we have), or,
// where it is absent or */*, what goes with the content type. bad_input names the types.
Result<record::MediaType> reply_type(std::string_view accept, record::MediaType content_type);
// As Content-Type has it.
std::string_view media_type_name(record::MediaType type);

// Rows of one record, as the encoder left them.
struct RowResults {
  const RowBlock* block = nullptr;
  std::span<const RowKind> kinds;  // of the rows from `first_row` on
  size_t first_row = 0;
  const EchoedTexts* echoed = nullptr;  // of the block's rows; null: not asked for

  // What stands before a row's result.
  std::string_view echo(size_t row) const {
    return echoed == nullptr ? std::string_view() : echoed->of(first_row + row);
  }
};

class ReplyWriter {
 public:
  // Uses `workspace` for scores. Appends to *out.
  ReplyWriter(const NativeContext& context, bool csv, char csv_delimiter, Workspace& workspace,
              std::string* out)
      : context_(context),
        csv_(csv),
        delimiter_(csv_delimiter),
        workspace_(workspace),
        out_(*out) {}

  // The record's reply, without a final line end: one JSON document, or a CSV row for each row.
  // bad_input where the record asks for what cannot be (top_k with thresholds), or its result is
  // not a number; *out then holds what was there before.
  Status append_record(const RecordParameters& parameters, RecordShape shape,
                       const RowResults& rows);

 private:
  Status append_row(const RecordParameters& parameters, RecordShape shape, const RowResults& rows,
                    size_t row);
  // `echo` stands at the beginning of a CSV row, and of each object in JSON.
  Status append_labels(const RecordParameters& parameters, RecordShape shape, RowKind kind,
                       std::span<const float> logits, std::string_view echo);
  Status append_columns(const RecordParameters& parameters, RowKind kind,
                        std::span<const float> logits, std::string_view echo);
  Status append_numbers(RowKind kind, std::span<const float> numbers, bool named,
                        std::string_view echo);
  Status compute_scores(const RecordParameters& parameters, std::span<const float> logits);
  // One label and score; a null label stands for a blank row.
  void append_label(std::string_view echo, const std::string* json, std::string_view plain,
                    const float* score);
  void append_number(float number);

  const NativeContext& context_;
  const bool csv_;
  const char delimiter_;
  Workspace& workspace_;
  std::string& out_;
};

}  // namespace millrace::handler
