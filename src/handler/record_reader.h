// What one record asks for: its texts, and how it wants them answered.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "handler/scores.h"

namespace millrace::handler {

// One row, as the record gives it; nothing is cleaned or checked yet.
struct RowText {
  std::string_view text;
  std::string_view pair;
  bool has_pair = false;
  bool null = false;  // JSON null instead of a text
};

// How many results the record's reply has and how they are wrapped, as Hugging Face does it.
enum class RecordShape : uint8_t {
  kText,  // one text: [{...}]
  kList,  // a list of texts: [{...},{...}]
  kPair   // {"text":...,"text_pair":...}: {...}
};

// "parameters" of a JSON document.
struct RecordParameters {
  static constexpr uint32_t kAllLabels = UINT32_MAX;
  std::optional<uint32_t> top_k;  // kAllLabels: null
  std::optional<ScoreFunction> function;
  uint32_t max_length = 0;  // 0: the model's

  bool operator==(const RecordParameters&) const = default;
};

struct ParsedRecord {
  std::vector<RowText> rows;
  RecordShape shape = RecordShape::kText;
  RecordParameters parameters;
  bool invalid_utf8 = false;  // bytes were replaced before parsing
  void clear();
};

// Reads JSON documents with simdjson; its buffers are reused. One per thread.
class JsonRecordReader {
 public:
  // `text_column`: path of the field with the text, "" for "inputs". `replace_invalid_utf8`: bytes
  // that are not UTF-8, and escaped surrogates without partner, become U+FFFD instead of an error.
  JsonRecordReader(std::string text_column, bool replace_invalid_utf8);
  ~JsonRecordReader();

  // Replaces *out. Its views are valid until the next read. bad_input with the cause.
  Status read(std::string_view document, ParsedRecord* out);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::handler
