// What a worker needs to read, prepare and answer records: parsers and buffers, reused.
#pragma once

#include <string>
#include <vector>

#include "handler/clean.h"
#include "handler/native_options.h"
#include "handler/record_reader.h"
#include "model/tokenizer.h"
#include "record/csv_fields.h"
#include "record/record_span.h"

namespace millrace::handler {

struct Workspace {
  explicit Workspace(const NativeOptions& options)
      : json(options.text_column, options.invalid_utf8 == InvalidUtf8::kReplace),
        first_cleaner(options.clean),
        second_cleaner(options.clean) {}

  JsonRecordReader json;
  record::CsvFields csv;
  ParsedRecord record;
  std::vector<record::RecordSpan> cuts;
  // For a text and its pair.
  std::string first_repaired;
  std::string second_repaired;
  Cleaner first_cleaner;
  Cleaner second_cleaner;
  model::Encoding encoding;
  std::vector<float> scores;
  std::vector<uint32_t> label_order;
};

}  // namespace millrace::handler
