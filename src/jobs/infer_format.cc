// What a file's name tells of its format, for whatever the user left open.
#include <fmt/format.h>

#include <map>

#include "base/limits.h"
#include "jobs/job_settings.h"

namespace millrace::jobs {
namespace {

using record::AssembleWith;
using record::MediaType;
using record::SplitType;

struct Profile {
  std::string_view content_type;
  SplitType split_type;
  AssembleWith assemble_with;
  bool csv_rfc4180;
  char delimiter;
};

constexpr Profile kJsonLines = {"application/jsonlines", SplitType::kLine, AssembleWith::kLine,
                                false, ','};
constexpr Profile kCsv = {"text/csv", SplitType::kLine, AssembleWith::kLine, true, ','};
constexpr Profile kTsv = {"text/csv", SplitType::kLine, AssembleWith::kLine, true, '\t'};
constexpr Profile kText = {"text/plain", SplitType::kLine, AssembleWith::kLine, false, ','};
// Texts reach a handler as JSON Lines, whatever the object is.
constexpr Profile kParquet = {"application/jsonlines", SplitType::kParquet, AssembleWith::kLine,
                              false, ','};
constexpr Profile kJson = {"application/json", SplitType::kNone, AssembleWith::kNone, false, ','};

// What a name tells.
struct Guess {
  const Profile* profile = nullptr;
  bool gzip = false;
};

constexpr std::string_view kGzipExtension = ".gz";

std::string last_extension(std::string_view key) {
  const size_t slash = key.rfind('/');
  const std::string_view name = slash == std::string_view::npos ? key : key.substr(slash + 1);
  const size_t dot = name.rfind('.');
  if (dot == std::string_view::npos || dot == 0) return "";
  std::string extension(name.substr(dot));
  for (char& c : extension) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return extension;
}

// ".csv", or with what it is compressed by: ".csv.gz".
std::string extension_of(std::string_view key) {
  const std::string last = last_extension(key);
  if (last != kGzipExtension) return last;
  return last_extension(key.substr(0, key.size() - last.size())) + last;
}

const Profile* profile_of_extension(std::string_view extension) {
  if (extension == ".jsonl" || extension == ".ndjson") return &kJsonLines;
  if (extension == ".csv") return &kCsv;
  if (extension == ".tsv") return &kTsv;
  if (extension == ".txt") return &kText;
  if (extension == ".json") return &kJson;
  if (extension == ".parquet") return &kParquet;
  return nullptr;
}

const Profile* profile_of_content_type(std::string_view content_type) {
  switch (record::media_type(content_type)) {
    case MediaType::kCsv:
      return &kCsv;
    case MediaType::kJson:
      return &kJson;
    case MediaType::kJsonLines:
      return &kJsonLines;
    case MediaType::kText:
      return &kText;
    case MediaType::kOther:
      return nullptr;
  }
  return nullptr;
}

// The Accept that goes with a content type when none is given.
std::string accept_of(const std::string& content_type) {
  switch (record::media_type(content_type)) {
    case MediaType::kCsv:
    case MediaType::kText:
      return "text/csv";
    case MediaType::kJson:
    case MediaType::kJsonLines:
      return content_type;
    case MediaType::kOther:
      return "";
  }
  return "";
}

Guess guess_of(std::string_view extension, const JobSettings& settings) {
  Guess guess;
  guess.gzip = extension.ends_with(kGzipExtension);
  if (guess.gzip) extension.remove_suffix(kGzipExtension.size());
  guess.profile = profile_of_extension(extension);
  if (guess.profile == nullptr && settings.content_type) {
    guess.profile = profile_of_content_type(*settings.content_type);
  }
  if (settings.compression_type) guess.gzip = false;  // names do not decide it
  return guess;
}

// The names need not agree then, but on how they are compressed.
bool fully_stated(const JobSettings& s) {
  return s.content_type && s.split_type && s.assemble_with;
}

// What all keys tell; their extensions are counted for the message.
Result<Guess> common_guess(const JobSettings& settings, const std::vector<std::string>& keys) {
  std::map<std::string, size_t> counts;
  for (const std::string& key : keys) ++counts[extension_of(key)];
  const bool stated = fully_stated(settings);
  Guess common;
  bool first = true;
  bool agree = true;
  for (const auto& [extension, count] : counts) {
    const Guess guess = guess_of(extension, settings);
    if (first) common = guess;
    first = false;
    const bool same_profile = guess.profile == common.profile;
    if (guess.gzip != common.gzip || !(same_profile || stated)) agree = false;
    if (!same_profile) common.profile = nullptr;
  }
  if (agree) return common;
  std::string told;
  for (const auto& [extension, count] : counts) {
    told += fmt::format("{}{} {}", told.empty() ? "" : ", ", count,
                        extension.empty() ? "without extension" : extension);
  }
  return fail(invalid_argument(fmt::format(
      "the input objects have different formats ({}); state the format with "
      "--content-type, --split-type, --assemble-with, --accept and --compression-type, or "
      "name one kind",
      told)));
}

void take_batching(const JobSettings& settings, record::DataFormat* format) {
  format->batch_strategy = settings.batch_strategy.value_or(record::BatchStrategy::kMultiRecord);
  format->max_payload_bytes = settings.max_payload_in_mb
                                  ? *settings.max_payload_in_mb * limits::kMiB
                                  : limits::kDefaultPayloadBytes;
}

void take_stated(const JobSettings& settings, record::DataFormat* format) {
  if (settings.content_type) format->content_type = *settings.content_type;
  if (settings.split_type) format->split_type = *settings.split_type;
  if (settings.assemble_with) format->assemble_with = *settings.assemble_with;
  if (settings.csv_rfc4180) format->csv.rfc4180 = *settings.csv_rfc4180;
  if (settings.csv_delimiter) format->csv.delimiter = *settings.csv_delimiter;
  if (settings.compression_type) format->compression_type = *settings.compression_type;
  format->encoding = settings.encoding;
  format->csv.byte_order_mark = settings.csv_bom;
  format->accept = settings.accept   ? *settings.accept
                   : settings.as_api ? ""
                                     : accept_of(format->content_type);
  format->csv.header = settings.csv_header;
  take_batching(settings, format);
  format->join_source = settings.join_source;
}

// Rows have no framing and no media type of their own: what is said of these is a mistake.
Status take_stated_for_parquet(const JobSettings& settings, record::DataFormat* format) {
  const auto refuse = [](std::string_view flag) {
    return fail(invalid_argument(
        fmt::format("{} does not go with Parquet objects: their rows are read and written as they "
                    "are, and results become columns",
                    flag)));
  };
  if (settings.content_type) return refuse("--content-type");
  if (settings.accept) return refuse("--accept");
  if (settings.csv_header) return refuse("--csv-header");
  if (settings.csv_rfc4180) return refuse("--csv");
  const bool stated = !settings.as_api;  // None is what the API says for nothing
  if (stated && settings.assemble_with == AssembleWith::kNone)
    return refuse("--assemble-with None");
  // A row of the output is a row of the input, and its result columns have types.
  if (!settings.input_filter.empty()) return refuse("--input-filter");
  if (!settings.output_filter.empty()) return refuse("--output-filter");
  if (settings.generate_inference_id) return refuse("--generate-inference-id");
  if (settings.output_compression != record::Compression::kNone) {
    return fail(invalid_argument(
        "--output-compression: Parquet compresses its columns itself, as the input's are"));
  }
  if (format->compression_type == record::CompressionType::kGzip ||
      settings.compression_type == record::CompressionType::kGzip) {
    return refuse("--compression-type Gzip");
  }
  if (settings.encoding != record::TextEncoding::kUtf8) return refuse("--encoding");
  if (settings.csv_delimiter) return refuse("--csv-delimiter");
  if (settings.csv_bom) return refuse("--csv-bom");
  take_batching(settings, format);
  return {};
}

// What is only for text, or only for CSV.
Status check_encoding(const record::DataFormat& format, MediaType out) {
  if (format.encoding != record::TextEncoding::kUtf8 && record::is_framed(format.split_type)) {
    return fail(invalid_argument(
        "--encoding: the records of RecordIO and TFRecord are bytes, not text in an encoding"));
  }
  if (format.csv.byte_order_mark && out != MediaType::kCsv) {
    return fail(
        invalid_argument("--csv-bom: the results are '" + format.accept + "', not text/csv"));
  }
  return {};
}

Status check_join(const record::DataFormat& format, MediaType in, MediaType out) {
  if (format.join_source == record::JoinSource::kNone) return {};
  const bool joinable =
      in == MediaType::kCsv || in == MediaType::kJson || in == MediaType::kJsonLines;
  if (!joinable || in != out) {
    return fail(invalid_argument(fmt::format(
        "--join-source Input needs a content type and an accept that are equal and text/csv, "
        "application/json or application/jsonlines; they are '{}' and '{}'",
        format.content_type, format.accept)));
  }
  const bool lines = format.split_type == SplitType::kLine;
  if (record::is_framed(format.split_type) ||
      lines != (format.assemble_with == AssembleWith::kLine)) {
    return fail(
        invalid_argument("--join-source Input needs equal --split-type and --assemble-with: both "
                         "Line or both None"));
  }
  return {};
}

}  // namespace

Result<record::DataFormat> infer_format(const JobSettings& settings,
                                        const std::vector<std::string>& keys) {
  record::DataFormat format;
  if (settings.as_api && settings.split_type != SplitType::kParquet) {
    take_stated(settings, &format);
    return format;
  }
  MR_ASSIGN(const Guess guess, common_guess(settings, keys));
  const Profile* profile = guess.profile;
  if (settings.split_type == SplitType::kParquet) profile = &kParquet;
  if (profile == nullptr) {
    if (!settings.content_type) {
      return fail(invalid_argument(
          fmt::format("{}: the name does not tell its format; add --content-type (and "
                      "--split-type Line for a record a line)",
                      keys.empty() ? "the input" : keys.front())));
    }
  }
  if (profile != nullptr) {
    format.content_type = profile->content_type;
    format.split_type = profile->split_type;
    format.assemble_with = profile->assemble_with;
    format.csv.rfc4180 = profile->csv_rfc4180;
    format.csv.delimiter = profile->delimiter;
  }
  if (guess.gzip) format.compression_type = record::CompressionType::kGzip;
  if (format.split_type == SplitType::kParquet &&
      settings.split_type.value_or(kParquet.split_type) == SplitType::kParquet) {
    MR_TRY(take_stated_for_parquet(settings, &format));
    return format;
  }
  take_stated(settings, &format);
  return format;
}

Status check_output_form(const JobSettings& settings, const record::DataFormat& format) {
  if (settings.merge.empty() || format.split_type == SplitType::kParquet) return {};
  if (format.assemble_with != AssembleWith::kLine) {
    return fail(invalid_argument(
        "--merge needs --assemble-with Line: results that do not end in a line end run together"));
  }
  if (record::writes_json_array(format)) {
    return fail(invalid_argument("--merge: results that are JSON arrays cannot become one object"));
  }
  if (format.csv.byte_order_mark && !format.csv.header) {
    return fail(invalid_argument("--merge with --csv-bom needs --csv-header"));
  }
  if (settings.merge_source_column.empty()) return {};
  const MediaType out = record::media_type(format.accept);
  const bool json = out == MediaType::kJson || out == MediaType::kJsonLines;
  if (out == MediaType::kCsv || json) return {};
  return fail(invalid_argument(fmt::format(
      "--merge-source-column needs results in CSV or JSON Lines; they are '{}'", format.accept)));
}

Status check_format(const record::DataFormat& format) {
  const MediaType in = record::media_type(format.content_type);
  const MediaType out = record::media_type(format.accept);
  if (format.csv.header && in != MediaType::kCsv) {
    return fail(invalid_argument("--csv-header: the content type is " + format.content_type +
                                 ", which has no header"));
  }
  if (format.csv.header && format.split_type != SplitType::kLine) {
    return fail(invalid_argument("--csv-header needs --split-type Line"));
  }
  MR_TRY(check_encoding(format, out));
  if (format.split_type == SplitType::kJsonArray && in != MediaType::kJson) {
    return fail(invalid_argument("--split-type JsonArray: the content type is " +
                                 format.content_type + "; it must be application/json"));
  }
  return check_join(format, in, out);
}

}  // namespace millrace::jobs
