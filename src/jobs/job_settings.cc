#include "jobs/job_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <initializer_list>

#include "base/limits.h"
#include "handler/native_options.h"

namespace millrace::jobs {
namespace {

Error bad_value(const Setting& setting, std::string_view allowed) {
  return invalid_argument(
      fmt::format("{}: '{}' is not allowed; use {}", setting.source, setting.value, allowed));
}

// Reads settings one by one and remembers the first that is wrong, so that check_settings reads as
// a list.
class Checker {
 public:
  explicit Checker(const Settings& settings) : settings_(settings) {}

  std::string text(const char* name, std::string fallback = {}) const {
    const auto found = settings_.find(name);
    return found == settings_.end() ? std::move(fallback) : found->second.value;
  }

  // What decides which model runs: an empty one would leave it to the default, unasked.
  std::string name_of_model(const char* name) {
    const auto found = settings_.find(name);
    if (found == settings_.end()) return "";
    if (found->second.value.empty()) reject(found->second, find_job_option(name)->values);
    return found->second.value;
  }

  std::optional<std::string> optional_text(const char* name) const {
    return setting_value(settings_, name);
  }

  std::string one_of(const char* name, std::string fallback,
                     std::initializer_list<std::string_view> allowed) {
    const auto found = settings_.find(name);
    if (found == settings_.end()) return fallback;
    for (const std::string_view value : allowed) {
      if (found->second.value == value) return found->second.value;
    }
    reject(found->second, fmt::format("{}", fmt::join(allowed, ", ")));
    return fallback;
  }

  // A value of one of the API's enumerations; `parse` knows its words.
  template <class T>
  std::optional<T> word(const char* name, std::optional<T> (*parse)(std::string_view)) {
    const auto found = settings_.find(name);
    if (found == settings_.end()) return std::nullopt;
    const std::optional<T> value = parse(found->second.value);
    if (!value) reject(found->second, find_job_option(name)->values);
    return value;
  }

  std::optional<uint64_t> number(const char* name, uint64_t low, uint64_t high) {
    const auto found = settings_.find(name);
    if (found == settings_.end()) return std::nullopt;
    const std::string& text = found->second.value;
    uint64_t value = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (code != std::errc() || end != text.data() + text.size() || value < low || value > high) {
      reject(found->second, fmt::format("a whole number from {} to {}", low, high));
      return std::nullopt;
    }
    return value;
  }

  bool flag(const char* name) {
    const auto found = settings_.find(name);
    if (found == settings_.end()) return false;
    const std::string& value = found->second.value;
    if (value == "true" || value == "1") return true;
    if (value != "false" && value != "0") reject(found->second, "true or false");
    return false;
  }

  // One ASCII character that CSV can have between its fields, or "tab".
  std::optional<char> delimiter(const char* name) {
    const auto found = settings_.find(name);
    if (found == settings_.end()) return std::nullopt;
    const std::string& text = found->second.value;
    if (text == "tab" || text == "\\t") return '\t';
    const char c = text.empty() ? '\0' : text.front();
    const bool printable = c == '\t' || (c >= ' ' && c <= '~');
    if (text.size() == 1 && printable && c != '"') return c;
    reject(found->second, "one ASCII character that is no quote, or tab");
    return std::nullopt;
  }

  // A key id, a key ARN, an alias or its ARN.
  std::string kms_key(const char* name) {
    const auto found = settings_.find(name);
    if (found == settings_.end()) return "";
    const std::string& key = found->second.value;
    const bool sound = key.size() <= 2048 && std::all_of(key.begin(), key.end(), [](char c) {
                         return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == ':' ||
                                c == '/' || c == '_' || c == '-';
                       });
    if (!sound) reject(found->second, "at most 2048 of [a-zA-Z0-9:/_-]");
    return key;
  }

  void reject(const Setting& setting, std::string_view allowed) {
    if (!error_) error_ = bad_value(setting, allowed);
  }
  const std::optional<Error>& error() const { return error_; }

 private:
  const Settings& settings_;
  std::optional<Error> error_;
};

// SageMaker's TransformJobName: 1-63 of [a-zA-Z0-9](-*[a-zA-Z0-9])*.
bool is_job_name(std::string_view name) {
  if (name.empty() || name.size() > 63 || name.front() == '-' || name.back() == '-') return false;
  for (const char c : name) {
    const bool alphanumeric =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!alphanumeric && c != '-') return false;
  }
  return true;
}

// What no container engine could take for an option of its own.
bool is_image_name(std::string_view name) {
  return name.size() <= 4096 && std::isalnum(static_cast<unsigned char>(name.front())) != 0 &&
         std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c <= '~'; });
}

// A path that stays below where it is put.
bool is_output_name(std::string_view name) {
  if (name.empty() || name.find('\0') != std::string_view::npos ||
      name.find("://") != std::string_view::npos) {
    return false;
  }
  for (;;) {
    const size_t slash = name.find('/');
    const std::string_view component = name.substr(0, slash);
    if (component.empty() || component == "." || component == "..") return false;
    if (slash == std::string_view::npos) return true;
    name.remove_prefix(slash + 1);
  }
}

// Of a name, not of a path: outputs stay in the folders that their inputs' keys say.
bool is_suffix(std::string_view suffix) {
  constexpr size_t kSuffixBytesMax = 64;
  return suffix.size() <= kSuffixBytesMax && suffix.find('/') == std::string_view::npos &&
         suffix.find('\0') == std::string_view::npos;
}

Status check_payload(const JobSettings& settings) {
  const uint64_t payload_mb =
      settings.max_payload_in_mb.value_or(limits::kDefaultPayloadBytes / limits::kMiB);
  const uint64_t transforms = settings.max_concurrent_transforms.value_or(0);
  if (settings.max_concurrent_transforms && settings.max_payload_in_mb &&
      transforms * payload_mb > limits::kPayloadBytesMax / limits::kMiB) {
    return fail(invalid_argument(
        fmt::format("MaxConcurrentTransforms ({}) x MaxPayloadInMB ({}) may be at most 100",
                    transforms, payload_mb)));
  }
  return {};
}

void take_output_form(const Settings& settings, Checker* check, JobSettings* out) {
  out->output_suffix = check->text("OUTPUT_SUFFIX", ".out");
  if (!is_suffix(out->output_suffix)) {
    check->reject(settings.at("OUTPUT_SUFFIX"), "up to 64 characters without '/'");
  }
  out->output_compression =
      check->word<record::Compression>("OUTPUT_COMPRESSION", record::parse_compression)
          .value_or(record::Compression::kNone);
  out->merge = check->text("MERGE");
  if (settings.contains("MERGE") && !is_output_name(out->merge)) {
    check->reject(settings.at("MERGE"), "a name, or a path below the output, as in 'all.csv'");
  }
  out->merge_source_column = check->text("MERGE_SOURCE_COLUMN");
  if (!out->merge_source_column.empty() && out->merge.empty()) {
    check->reject(settings.at("MERGE_SOURCE_COLUMN"), "it only with --merge");
  }
}

// "N", or "P%" with up to a few decimals. False: it is neither.
bool parse_threshold(std::string_view text, transform::RecordErrorRules* rules) {
  rules->text = text;
  const bool percent = text.ends_with('%');
  if (percent) text.remove_suffix(1);
  if (text.empty() || text.find_first_not_of(percent ? "0123456789." : "0123456789") != text.npos) {
    return false;
  }
  const char* const end = text.data() + text.size();
  if (!percent) {
    return std::from_chars(text.data(), end, rules->count_max.emplace()).ec == std::errc();
  }
  double& value = rules->percent_max.emplace();
  const auto [stop, code] = std::from_chars(text.data(), end, value);
  return code == std::errc() && stop == end && value >= 0 && value <= 100;
}

void take_record_errors(const Settings& settings, Checker* check,
                        transform::RecordErrorRules* rules) {
  using On = transform::RecordErrorRules::On;
  const std::string on = check->one_of("ON_RECORD_ERROR", "fail", {"fail", "record", "drop"});
  rules->on = on == "record" ? On::kRecord : on == "drop" ? On::kDrop : On::kFail;
  const auto threshold = settings.find("ERROR_THRESHOLD");
  if (threshold == settings.end()) return;
  if (!rules->keep_going()) {
    check->reject(threshold->second, "it together with --on-record-error record or drop");
  } else if (!parse_threshold(threshold->second.value, rules)) {
    check->reject(threshold->second, "a number of records, or per cent of them (0% to 100%)");
  }
}

transform::IfExists if_exists_of(std::string_view word) {
  using transform::IfExists;
  if (word == "overwrite") return IfExists::kOverwrite;
  if (word == "skip") return IfExists::kSkip;
  return word == "update" ? IfExists::kUpdate : IfExists::kFail;
}

// How messages call a setting: as it was made, or as the user of a command line would make it.
std::string written(const Settings& settings, const std::string& name) {
  const auto found = settings.find(name);
  if (found != settings.end()) return found->second.source;
  const auto input = settings.find("INPUT");
  const bool command_line = input != settings.end() && input->second.source == flag_name("INPUT");
  const std::string variable = variable_name(name);
  return command_line ? flag_name(name) + " (" + variable + ")" : variable;
}

void take_native(const Settings& settings, JobSettings* out) {
  const auto note = [&](const std::string& name) {
    const auto found = settings.find(name);
    if (found != settings.end()) out->native_sources.push_back(found->second.source);
  };
  for (const char* name : {"PRECISION", "ISA", "RESULT_CACHE", "RESULT_CACHE_BYTES"}) note(name);
  for (const auto& option : handler::native_option_help()) {
    const std::string name = option_of_native(option.name);
    const auto found = settings.find(name);
    if (found != settings.end()) out->native[option.name] = found->second.value;
    out->native_written[option.name] = written(settings, name);
    // The data path names columns with this one, whoever computes them.
    if (name != "RESULT_PREFIX") note(name);
  }
}

void take_data_processing(Checker& check, JobSettings* out) {
  out->input_filter = check.text("INPUT_FILTER");
  out->output_filter = check.text("OUTPUT_FILTER");
  if (check.one_of("JSON_PATH", "sagemaker", {"sagemaker", "extended"}) == "extended") {
    out->json_path = record::JsonPathMode::kExtended;
  }
  out->kms_key_id = check.kms_key("KMS_KEY_ID");
  out->generate_inference_id = check.flag("GENERATE_INFERENCE_ID");
  out->data_capture_destination = check.text("DATA_CAPTURE_DESTINATION");
  out->data_capture_kms_key_id = check.kms_key("DATA_CAPTURE_KMS_KEY_ID");
}

// Models that run in processes of their own.
void take_servers(const Settings& settings, Checker& check, JobSettings* out) {
  out->invocation_timeout_seconds = check.number("INVOCATIONS_TIMEOUT_IN_SECONDS", 1, 3600);
  out->invocation_retries = check.number("INVOCATIONS_MAX_RETRIES", 0, 3);
  out->python = check.text("PYTHON");
  out->image = check.text("IMAGE");
  out->model_command = check.name_of_model("MODEL_COMMAND");
  out->model_memory_in_mb = check.number("MODEL_MEMORY_IN_MB", 1, UINT64_C(1) << 30);
  out->model_stop_timeout_seconds = check.number("MODEL_STOP_TIMEOUT_IN_SECONDS", 0, 3600);
  out->pass_credentials = check.flag("PASS_CREDENTIALS");
  out->ping_timeout_seconds = check.number("PING_TIMEOUT_IN_SECONDS", 1, 86400);
  out->model_image = check.name_of_model("MODEL_IMAGE");
  const auto image = settings.find("MODEL_IMAGE");
  if (!out->model_image.empty() && !is_image_name(out->model_image)) {
    check.reject(image->second, "the name of an image, as registry/name:tag");
  }
  if (!out->model_image.empty() && !out->model_command.empty()) {
    check.reject(image->second, "it without --model-command, which is another server");
  }
  out->container_engine = check.text("CONTAINER_ENGINE");
  out->model_network = check.one_of("MODEL_NETWORK", "none", {"none", "full"}) == "full";
  out->model_cpus = check.number("MODEL_CPUS", 1, 4096);
}

// How the input is listed, stored and written.
void take_input_settings(Checker& check, JobSettings* out) {
  const std::string csv = check.one_of("CSV", "", {"line", "rfc4180"});
  if (!csv.empty()) out->csv_rfc4180 = csv == "rfc4180";
  out->csv_header = check.flag("CSV_HEADER");
  out->csv_delimiter = check.delimiter("CSV_DELIMITER");
  out->csv_bom = check.flag("CSV_BOM");
  out->encoding = check.word<record::TextEncoding>("ENCODING", record::parse_text_encoding)
                      .value_or(record::TextEncoding::kUtf8);
  out->compression_type =
      check.word<record::CompressionType>("COMPRESSION_TYPE", record::parse_compression_type);
  out->is_manifest =
      check.one_of("DATA_TYPE", "S3Prefix", {"S3Prefix", "ManifestFile"}) == "ManifestFile";
  out->allow_empty = check.flag("ALLOW_EMPTY");
}

}  // namespace

Result<JobSettings> check_settings(const Settings& settings, int cores) {
  Checker check(settings);
  JobSettings out;
  out.model = check.name_of_model("MODEL");
  out.input = check.text("INPUT");
  out.output = check.text("OUTPUT");
  out.content_type = check.optional_text("CONTENT_TYPE");
  out.accept = check.optional_text("ACCEPT");
  out.split_type = check.word<record::SplitType>("SPLIT_TYPE", record::parse_split_type);
  out.assemble_with =
      check.word<record::AssembleWith>("ASSEMBLE_WITH", record::parse_assemble_with);
  out.batch_strategy =
      check.word<record::BatchStrategy>("BATCH_STRATEGY", record::parse_batch_strategy);
  out.join_source = check.word<record::JoinSource>("JOIN_SOURCE", record::parse_join_source)
                        .value_or(record::JoinSource::kNone);
  take_input_settings(check, &out);
  take_data_processing(check, &out);
  out.max_payload_in_mb = check.number("MAX_PAYLOAD_IN_MB", 0, 100);
  const auto transforms =
      check.number("MAX_CONCURRENT_TRANSFORMS", 0, limits::kConcurrentTransformsMax);
  if (transforms && *transforms > 0) {
    out.max_concurrent_transforms = static_cast<uint32_t>(*transforms);
  }
  take_servers(settings, check, &out);
  take_output_form(settings, &check, &out);
  out.precision = check.one_of("PRECISION", "fp32", {"fp32", "bf16", "int8"});
  out.if_exists =
      if_exists_of(check.one_of("IF_EXISTS", "fail", {"fail", "overwrite", "skip", "update"}));
  take_record_errors(settings, &check, &out.record_errors);
  out.job_name = check.text("JOB_NAME");
  if (!out.job_name.empty() && !is_job_name(out.job_name)) {
    check.reject(settings.at("JOB_NAME"),
                 "1 to 63 letters, digits and '-', which neither begin nor end with '-'");
  }
  out.part_bytes =
      check.number("PART_BYTES", 1, UINT64_C(1) << 40).value_or(limits::kDefaultPartBytes);
  out.threads =
      static_cast<int>(check.number("THREADS", 1, 1024).value_or(static_cast<uint64_t>(cores)));
  out.isa = check.text("ISA");
  out.work_dir = check.text("WORK_DIR");
  out.result_cache = check.text("RESULT_CACHE");
  if (out.result_cache.starts_with("s3://")) {
    check.reject(settings.at("RESULT_CACHE"), "a local folder");
  }
  out.result_cache_bytes =
      check.number("RESULT_CACHE_BYTES", limits::kResultCacheBytesMin, limits::kResultCacheBytesMax)
          .value_or(limits::kResultCacheBytes);
  out.progress = check.one_of("PROGRESS", "auto", {"auto", "bar", "json", "none"});
  out.report = check.text("REPORT");
  check.flag("DRY_RUN");  // what the command line does about it is its own
  out.profile = check.text("PROFILE");
  out.region = check.text("REGION");
  out.endpoint_url = check.text("ENDPOINT_URL");
  out.text_column = check.text("TEXT_COLUMN");
  take_native(settings, &out);
  if (check.error()) return fail(*check.error());
  MR_TRY(check_payload(out));
  return out;
}

}  // namespace millrace::jobs
