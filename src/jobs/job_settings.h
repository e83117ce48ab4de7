// JobSettings: the merged settings of a job as checked values, and what of them the input's names
// decide. What SageMaker's API bounds is bounded here in the same way.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "jobs/job_options.h"
#include "record/compressor.h"
#include "record/format.h"
#include "transform/transform_job.h"

namespace millrace::jobs {

struct JobSettings {
  std::string model;  // "": the default
  std::string input;
  std::string output;

  // Unset where nobody said it: the CLI infers these from the objects' names.
  std::optional<std::string> content_type;
  std::optional<std::string> accept;
  std::optional<record::SplitType> split_type;
  std::optional<record::AssembleWith> assemble_with;
  std::optional<bool> csv_rfc4180;
  std::optional<char> csv_delimiter;
  std::optional<record::CompressionType> compression_type;

  record::JoinSource join_source = record::JoinSource::kNone;
  std::string input_filter, output_filter;  // as given; "": the root
  record::JsonPathMode json_path = record::JsonPathMode::kSageMaker;
  std::string kms_key_id;
  bool generate_inference_id = false;
  std::string data_capture_destination;  // "": none
  std::string data_capture_kms_key_id;
  bool csv_header = false;
  bool csv_bom = false;
  record::TextEncoding encoding = record::TextEncoding::kUtf8;
  bool is_manifest = false;  // `input` names a list of objects
  bool allow_empty = false;
  // As the API has it: nothing is inferred from names, no object is skipped for its name or size,
  // and an output is never one whole key.
  bool as_api = false;

  // Unset where nobody said it: then the model's own word holds, then SageMaker's defaults.
  std::optional<record::BatchStrategy> batch_strategy;
  std::optional<uint64_t> max_payload_in_mb;
  std::optional<uint32_t> max_concurrent_transforms;

  // For model servers; unset: the defaults of base/limits.h.
  std::optional<uint64_t> invocation_timeout_seconds;
  std::optional<uint64_t> invocation_retries;
  std::optional<uint64_t> ping_timeout_seconds;
  std::string output_suffix = ".out";
  record::Compression output_compression = record::Compression::kNone;
  std::string merge;  // "": every input has its own output
  std::string merge_source_column;

  // Python code of a model: the interpreter, and the AWS image it was made for ("": not stated).
  std::string python, image;
  // A model server that we start ("": none).
  std::string model_command;
  // A container that we start ("": none), and by what ("": what there is).
  std::string model_image, container_engine;
  bool model_network = false;  // it may open connections
  std::optional<uint64_t> model_cpus;
  std::optional<uint64_t> model_memory_in_mb;
  std::optional<uint64_t> model_stop_timeout_seconds;
  bool pass_credentials = false;

  std::string precision = "fp32";
  transform::IfExists if_exists = transform::IfExists::kFail;
  transform::RecordErrorRules record_errors;
  std::string job_name;  // "": derived
  uint64_t part_bytes = 0;
  int threads = 1;
  std::string isa;
  std::string work_dir;
  std::string result_cache;  // "": none
  uint64_t result_cache_bytes = 0;
  std::string progress = "auto";
  std::string report;  // "": none
  std::string profile, region, endpoint_url;

  std::string text_column;
  // The native model's settings by option name; handler::parse_native_options checks them.
  Variables native;
  Variables native_written;  // by the same names: how messages call each
  // How the user wrote each setting that only the native model knows (native_only.h).
  std::vector<std::string> native_sources;
};

// Checks each value; invalid_argument names the setting as the user wrote it, the value and what is
// allowed. `cores`: the default number of threads.
Result<JobSettings> check_settings(const Settings& settings, int cores);

// The format that `keys` have in common. What the settings leave open follows from each key's
// extension (.jsonl .ndjson .csv .tsv .txt .json, and a final .gz), else from the content type.
// Objects that disagree are invalid_argument with a count for each extension; so is what no name
// tells.
Result<record::DataFormat> infer_format(const JobSettings& settings,
                                        const std::vector<std::string>& keys);

// Adds InputFilter and OutputFilter, whose language depends on the types of records and results.
// invalid_argument, in SageMaker's words where it has some, for what is no path, or none for them.
Status take_filters(const JobSettings& settings, record::DataFormat* format);

// What only shows once the format is known: joins need equal types and framing (spec 3.1), and so
// on. Messages name the flags.
Status check_format(const record::DataFormat& format);
// The same of what becomes of outputs: merged results must be lines or rows, for example.
Status check_output_form(const JobSettings& settings, const record::DataFormat& format);

// What of a request in the API's terms can be said before its objects are looked at: characters of
// JSONPaths, types that do not go together. Paths that SageMaker's agent refuses are left to the
// run.
Status check_request_format(const JobSettings& settings);

}  // namespace millrace::jobs
