// How an object is cut into records and put together again: SageMaker's words, as values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "record/json_path.h"

namespace millrace::record {

// kJsonArray is ours: an object is one JSON array, its elements are the records. So is kParquet: a
// row is a record, its text column the text; results become columns beside the others.
enum class SplitType { kNone, kLine, kRecordIo, kTfRecord, kJsonArray, kParquet };
enum class BatchStrategy { kMultiRecord, kSingleRecord };
enum class AssembleWith { kNone, kLine };
enum class JoinSource { kNone, kInput };

// How an object is stored. kGzip may have several members.
enum class CompressionType { kNone, kGzip };
// What its text is written in. kUtf16 has a byte order mark; all but the first are ours.
enum class TextEncoding { kUtf8, kUtf16, kUtf16Le, kUtf16Be, kCp1252, kCp1258 };

// What the bytes of a record mean, from the Content-Type.
enum class MediaType { kOther, kCsv, kJson, kJsonLines, kText };
// Parameters after ';' and upper case do not matter. application/x-ndjson is kJsonLines.
MediaType media_type(std::string_view content_type);

struct CsvOptions {
  bool rfc4180 = false;  // quoted fields may hold line ends; false: a record is a line
  bool header = false;   // the first record names the columns and is no record
  char delimiter = ',';
  bool byte_order_mark = false;  // the output begins with one, for spreadsheets
};

struct DataFormat {
  std::string content_type;
  std::string accept;
  SplitType split_type = SplitType::kNone;
  BatchStrategy batch_strategy = BatchStrategy::kMultiRecord;
  AssembleWith assemble_with = AssembleWith::kNone;
  JoinSource join_source = JoinSource::kNone;
  JsonPath input_filter;   // of CSV with a header: names may stand for columns
  JsonPath output_filter;  // likewise; of what JoinSource made
  CsvOptions csv;
  CompressionType compression_type = CompressionType::kNone;
  TextEncoding encoding = TextEncoding::kUtf8;
  uint64_t max_payload_bytes = 0;  // 0: unlimited

  // Results without a type of their own are taken for what the records are.
  const std::string& result_type() const { return accept.empty() ? content_type : accept; }
};

// Each record has its length before it (RecordIO, TFRecord).
bool is_framed(SplitType split_type);
// Records are cut from other bytes than those that are stored, so that no range of them can be read
// alone; offsets of records count what they are cut from.
bool is_decoded(const DataFormat& format);
// The output is one JSON array, of as many elements as the input's: '[' and ',' and ']' around the
// replies. So it is where an array comes in, application/json goes out, and AssembleWith is None.
bool writes_json_array(const DataFormat& format);

// The API's values, exactly ("Line", "MultiRecord", ...); anything else is nullopt.
std::optional<SplitType> parse_split_type(std::string_view text);
std::optional<BatchStrategy> parse_batch_strategy(std::string_view text);
std::optional<AssembleWith> parse_assemble_with(std::string_view text);
std::optional<JoinSource> parse_join_source(std::string_view text);
std::optional<CompressionType> parse_compression_type(std::string_view text);
// "utf-8", "utf-16", "utf-16le", "utf-16be", "cp1252", "cp1258".
std::optional<TextEncoding> parse_text_encoding(std::string_view text);

}  // namespace millrace::record
