// The API's words and media types, turned into values.
#include "record/format.h"

#include <algorithm>

namespace millrace::record {

namespace {

char ascii_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool equal_ignoring_case(std::string_view text, std::string_view lower) {
  return std::equal(text.begin(), text.end(), lower.begin(), lower.end(),
                    [](char a, char b) { return ascii_lower(a) == b; });
}

std::string_view trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

}  // namespace

MediaType media_type(std::string_view content_type) {
  const std::string_view type = trimmed(content_type.substr(0, content_type.find(';')));
  if (equal_ignoring_case(type, "text/csv")) return MediaType::kCsv;
  if (equal_ignoring_case(type, "application/json")) return MediaType::kJson;
  if (equal_ignoring_case(type, "application/jsonlines")) return MediaType::kJsonLines;
  if (equal_ignoring_case(type, "application/x-ndjson")) return MediaType::kJsonLines;
  if (equal_ignoring_case(type, "text/plain")) return MediaType::kText;
  return MediaType::kOther;
}

bool is_framed(SplitType split_type) {
  return split_type == SplitType::kRecordIo || split_type == SplitType::kTfRecord;
}

bool is_decoded(const DataFormat& format) {
  return format.compression_type != CompressionType::kNone ||
         format.encoding != TextEncoding::kUtf8;
}

bool writes_json_array(const DataFormat& format) {
  return format.split_type == SplitType::kJsonArray &&
         format.assemble_with == AssembleWith::kNone &&
         media_type(format.result_type()) == MediaType::kJson;
}

std::optional<SplitType> parse_split_type(std::string_view text) {
  if (text == "None") return SplitType::kNone;
  if (text == "Line") return SplitType::kLine;
  if (text == "RecordIO") return SplitType::kRecordIo;
  if (text == "TFRecord") return SplitType::kTfRecord;
  if (text == "JsonArray") return SplitType::kJsonArray;
  if (text == "Parquet") return SplitType::kParquet;
  return std::nullopt;
}

std::optional<BatchStrategy> parse_batch_strategy(std::string_view text) {
  if (text == "MultiRecord") return BatchStrategy::kMultiRecord;
  if (text == "SingleRecord") return BatchStrategy::kSingleRecord;
  return std::nullopt;
}

std::optional<AssembleWith> parse_assemble_with(std::string_view text) {
  if (text == "None") return AssembleWith::kNone;
  if (text == "Line") return AssembleWith::kLine;
  return std::nullopt;
}

std::optional<CompressionType> parse_compression_type(std::string_view text) {
  if (text == "None") return CompressionType::kNone;
  if (text == "Gzip") return CompressionType::kGzip;
  return std::nullopt;
}

std::optional<TextEncoding> parse_text_encoding(std::string_view text) {
  if (text == "utf-8") return TextEncoding::kUtf8;
  if (text == "utf-16") return TextEncoding::kUtf16;
  if (text == "utf-16le") return TextEncoding::kUtf16Le;
  if (text == "utf-16be") return TextEncoding::kUtf16Be;
  if (text == "cp1252") return TextEncoding::kCp1252;
  if (text == "cp1258") return TextEncoding::kCp1258;
  return std::nullopt;
}

std::optional<JoinSource> parse_join_source(std::string_view text) {
  if (text == "None") return JoinSource::kNone;
  if (text == "Input") return JoinSource::kInput;
  return std::nullopt;
}

}  // namespace millrace::record
