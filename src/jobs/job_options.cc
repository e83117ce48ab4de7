#include "jobs/job_options.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <nlohmann/json.hpp>

#include "handler/native_options.h"

namespace millrace::jobs {
namespace {

constexpr std::string_view kPrefix = "MILLRACE_";
// See option_of_native.
constexpr char kNativeOutput[] = "OUTPUT";
constexpr char kOutputShape[] = "OUTPUT_SHAPE";

// Variables of this name space that configure the program or its tests and not a job.
constexpr std::array<std::string_view, 5> kOtherVariables = {
    "MILLRACE_OPTIONS", "MILLRACE_MODELS_DIR", "MILLRACE_BIN", "MILLRACE_VERSITYGW",
    "MILLRACE_DEV_CACHE"};

// What `millrace serve` reads and no job does: a shell that has them runs both.
constexpr std::array<std::string_view, 19> kServiceVariables = {"MILLRACE_CONFIG",
                                                                "MILLRACE_LISTEN",
                                                                "MILLRACE_KEYS",
                                                                "MILLRACE_NO_AUTH",
                                                                "MILLRACE_CERTIFICATE",
                                                                "MILLRACE_PRIVATE_KEY",
                                                                "MILLRACE_DATA_DIR",
                                                                "MILLRACE_ACCOUNT",
                                                                "MILLRACE_RUNNING_JOBS",
                                                                "MILLRACE_JOBS_KEPT",
                                                                "MILLRACE_ALLOW_LOCAL_PATHS",
                                                                "MILLRACE_ALLOW_IMAGES",
                                                                "MILLRACE_CONTAINER_NETWORK",
                                                                "MILLRACE_CONTAINER_MEMORY_IN_MB",
                                                                "MILLRACE_CONTAINER_CPUS",
                                                                "MILLRACE_EVENT_FILE",
                                                                "MILLRACE_EVENT_URL",
                                                                "MILLRACE_LOG_FORMAT",
                                                                "MILLRACE_LOG_LEVEL"};

// What becomes of outputs.
const std::vector<JobOption> kOutputOptions = {
    {"IF_EXISTS", "fail|overwrite|skip|update",
     "Outputs that exist: fail (default); overwrite; skip those that are what the job would write "
     "(same input, model and settings) and refuse any other; update does the others again"},
    {"OUTPUT_SUFFIX", "SUFFIX", "What an output's key has after its input's (default: .out)"},
    {"OUTPUT_COMPRESSION", "none|gzip|zstd",
     "Compress outputs; their keys then end in .gz or .zst after the suffix (default: none)"},
    {"MERGE", "FILE",
     "Write the results of all inputs as one object of this name below the output, in the order "
     "of the inputs' keys: all of them or nothing"},
    {"MERGE_SOURCE_COLUMN", "NAME",
     "Under --merge: a last column (JSON: an attribute) that names each record's input"}};

// Models that run in processes of their own: Python code, and what answers the container contract.
const std::vector<JobOption> kServerOptions = {
    {"PYTHON", "PATH",
     "The interpreter, or the environment, that runs a model's code/inference.py (default: "
     "python3)",
     true},
    {"IMAGE", "URI",
     "The AWS image that a model's code was made for: its framework and version are installed, "
     "once"},
    {"MODEL_COMMAND", "COMMAND",
     "Starts a model server (the container contract, on port $SAGEMAKER_BIND_TO_PORT), feeds it "
     "and stops it",
     true},
    {"MODEL_IMAGE", "IMAGE",
     "A container image that answers the container contract: started with the argument serve, fed "
     "and removed; --model, where given, is its /opt/ml/model",
     true},
    {"CONTAINER_ENGINE", "podman|docker|PATH",
     "What starts containers (default: podman, else docker)", true},
    {"MODEL_NETWORK", "none|full",
     "none: a container reaches nothing beyond this machine (default); full: as others do", true},
    {"MODEL_CPUS", "N", "Cores that a container may use (default: all)", true},
    {"MODEL_MEMORY_IN_MB", "N",
     "Address space of a model's process, or memory of its container, at most", true},
    {"MODEL_STOP_TIMEOUT_IN_SECONDS", "N",
     "A model's process has so long between SIGTERM and SIGKILL (default: 30)", true},
    {"PASS_CREDENTIALS", "", "A model's process gets this process's AWS_* variables", true},
    {"INVOCATIONS_TIMEOUT_IN_SECONDS", "N",
     "A model server's time for one answer (1 to 3600; default: 600)"},
    {"INVOCATIONS_MAX_RETRIES", "N",
     "How often a request without an answer is sent again (0 to 3; default: 3)"},
    {"PING_TIMEOUT_IN_SECONDS", "N",
     "A model server's time until /ping answers 200 (default: 1800)"},
};

// DataProcessing, and what goes with the results.
const std::vector<JobOption> kFilterOptions = {
    {"INPUT_FILTER", "PATH",
     "JSONPath: what of each record the model gets, e.g. '$[1:]' or '$.features' (default: $)"},
    {"OUTPUT_FILTER", "PATH",
     "JSONPath: what of each result, joined or not, is written, e.g. '$[0,-1]' (default: $)"},
    {"JSON_PATH", "sagemaker|extended",
     "sagemaker: SageMaker's subset, a range includes its end; extended: RFC 9535 without "
     "filters, functions and descendants, and CSV columns by name (default: sagemaker)"},
    {"KMS_KEY_ID", "KEY", "KMS key that encrypts the outputs in S3 (SSE-KMS)"},
    {"GENERATE_INFERENCE_ID", "",
     "Give each result an id and the job's start: CSV, JSON and JSON Lines"},
    {"DATA_CAPTURE_DESTINATION", "PATH|s3://...",
     "Write lists of the job's inputs and outputs to input/ and output/YYYY/MM/DD/HH/ there", true},
    {"DATA_CAPTURE_KMS_KEY_ID", "KEY", "KMS key that encrypts these lists"},
};

// What only this machine can know.
const std::vector<JobOption> kMachineOptions = {
    {"THREADS", "N", "Encoder threads (default: one for each core)", true},
    {"ISA", "reference|avx2|avx512|neon", "Forces a lower instruction set; results stay the same",
     true},
    {"RESULT_CACHE", "DIR",
     "Keeps what the model computes in DIR, so that a re-run over grown data computes only what "
     "is new",
     true},
    {"RESULT_CACHE_BYTES", "N",
     "Size of DIR at most; what was used longest ago is forgotten (default: 1 GiB)", true},
    {"WORK_DIR", "PATH|s3://...",
     "Where jobs keep plan, journal and staged parts; in S3 another machine can go on with them",
     true},
    {"PROGRESS", "auto|bar|json|none", "Progress on stderr (default: auto)", true},
    {"REPORT", "FILE", "Writes what became of each object there, as JSON, when the job has ended",
     true},
    {"DRY_RUN", "",
     "Writes nothing: says what would be done, with three predictions and the expected time in "
     "each precision",
     true},
    {"PROFILE", "NAME", "AWS profile for S3", true},
    {"REGION", "NAME", "AWS region for S3", true},
    {"ENDPOINT_URL", "URL", "S3 endpoint (any S3-compatible server)", true},
};

// What becomes of records that cannot be answered.
const std::vector<JobOption> kRecordErrorOptions = {
    {"ON_RECORD_ERROR", "fail|record|drop",
     "A record that is bad input: fail its object (default), record it in <output>.errors.jsonl "
     "with a placeholder in its place, or drop it from the output"},
    {"ERROR_THRESHOLD", "N|P%",
     "With record or drop: an object with more than N refused records fails at once, with more "
     "than P% of its records at its end"},
};

std::vector<JobOption> make_table() {
  std::vector<JobOption> table = {
      {"MODEL", "MODEL",
       "A folder in Hugging Face layout or with code/inference.py, a model.tar.gz of one (path or "
       "s3://), hf://ORG/NAME[@REVISION], the name of a shipped model (default: sst2-small), or "
       "the "
       "http:// address of a model server",
       true},
      {"INPUT", "PATH|s3://...", "A file, a folder, or a key prefix: what to transform", true},
      {"OUTPUT", "PATH|s3://...",
       "A folder or key prefix for the results; with one input object, a name with an extension is "
       "the file to write",
       true},
      {"CONTENT_TYPE", "TYPE", "ContentType of the records, e.g. text/csv, application/jsonlines"},
      {"ACCEPT", "TYPE", "Accept: the type of the results (default: follows the content type)"},
      {"DATA_TYPE", "S3Prefix|ManifestFile",
       "ManifestFile: the input is a JSON list of the objects to transform (default: S3Prefix)"},
      {"COMPRESSION_TYPE", "None|Gzip", "How the input is stored (default: Gzip for .gz)"},
      {"SPLIT_TYPE", "None|Line|RecordIO|TFRecord|JsonArray|Parquet",
       "How an object is cut into records"},
      {"BATCH_STRATEGY", "MultiRecord|SingleRecord", "Records in one request"},
      {"ASSEMBLE_WITH", "None|Line", "What follows each result in the output"},
      {"MAX_PAYLOAD_IN_MB", "N", "Size of a request at most; 0: unlimited (default: 6)"},
      {"MAX_CONCURRENT_TRANSFORMS", "N",
       "Requests in flight at most; never slows the native model"},
      {"JOIN_SOURCE", "None|Input", "Input: put each record and its result together"},
      {"CSV", "line|rfc4180", "line: a row is a line; rfc4180: quoted fields may hold line ends"},
      {"CSV_HEADER", "", "The first row names the columns"},
      {"CSV_DELIMITER", "C", "What stands between fields, or tab (default: comma; tab for .tsv)"},
      {"CSV_BOM", "", "CSV results begin with a byte order mark, as spreadsheets want it"},
      {"ENCODING", "utf-8|utf-16|utf-16le|utf-16be|cp1252|cp1258",
       "What the text of the input is written in; results are UTF-8 (default: utf-8)"},
      {"ALLOW_EMPTY", "", "No input object at all is no error"},
      {"PRECISION", "fp32|bf16|int8", "Arithmetic of the native model (default: fp32)"},
      {"JOB_NAME", "NAME", "Names the job and its work area (default: derived from the settings)"},
      {"PART_BYTES", "N",
       "Bytes of a large object that are worked on as one part (default: 8 MiB)"},
  };
  for (const auto* more : {&kServerOptions, &kFilterOptions, &kRecordErrorOptions, &kOutputOptions,
                           &kMachineOptions}) {
    table.insert(table.end(), more->begin(), more->end());
  }
  for (const auto& option : handler::native_option_help()) {
    table.push_back({option_of_native(option.name), option.values, option.help, false});
  }
  return table;
}

std::string known_names() {
  std::string names;
  for (const JobOption& option : job_options()) {
    if (!names.empty()) names += ", ";
    names += variable_name(option.name);
  }
  return names;
}

// In an Environment a variable of the service is a mistake, and said to be one.
bool is_other_variable(std::string_view name, bool of_this_process) {
  const auto is_in = [name](const auto& names) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  return name.starts_with("MILLRACE_TEST_") || is_in(kOtherVariables) ||
         (of_this_process && is_in(kServiceVariables));
}

// What concerns one model, and not the data path or the job.
bool is_of_one_model(const JobOption& option) {
  constexpr std::array<std::string_view, 3> kNames = {"PRECISION", "THREADS", "ISA"};
  const std::string_view name = option.name;
  if (std::find(kNames.begin(), kNames.end(), name) != kNames.end()) return true;
  const auto is_it = [&](const JobOption& one) { return name == one.name; };
  if (std::any_of(kServerOptions.begin(), kServerOptions.end(), is_it)) return true;
  const auto& native = handler::native_option_help();
  return std::any_of(native.begin(), native.end(),
                     [&](const auto& one) { return name == option_of_native(one.name); });
}

// One layer of variables being merged into `settings`, which stronger layers filled before.
class LayerMerger {
 public:
  LayerMerger(Settings* settings, std::string_view where, bool allow_local,
              bool of_one_model = false)
      : settings_(settings),
        where_(where),
        allow_local_(allow_local),
        of_one_model_(of_one_model) {}

  Status merge(const Variables& variables) {
    for (const auto& [name, value] : variables) {
      if (!name.starts_with(kPrefix) || is_other_variable(name, allow_local_)) continue;
      MR_TRY(add(name.substr(kPrefix.size()), value, name));
    }
    const auto options = variables.find("MILLRACE_OPTIONS");
    if (options == variables.end()) return {};
    return merge_options(options->second);
  }

 private:
  Status merge_options(const std::string& text) {
    const auto json = nlohmann::json::parse(text, nullptr, false);
    if (!json.is_object()) {
      return fail(invalid_argument("MILLRACE_OPTIONS" + where_ +
                                   ": expected a JSON object of settings, for example "
                                   "{\"TEXT_COLUMN\":\"text\"}"));
    }
    for (const auto& [key, value] : json.items()) {
      std::string name = key;
      if (name.starts_with(kPrefix)) name.erase(0, kPrefix.size());
      std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) {
        return c == '-' ? '_' : static_cast<char>(std::toupper(c));
      });
      const std::string plain = value.is_string() ? value.get<std::string>() : value.dump();
      MR_TRY(add(name, plain, "MILLRACE_OPTIONS key " + key));
    }
    return {};
  }

  Status add(const std::string& variable, const std::string& value, const std::string& source) {
    const std::string name = option_of_native(variable.c_str());
    const JobOption* option = find_job_option(name);
    if (option == nullptr) {
      return fail(invalid_argument(source + where_ + ": there is no such setting; there are " +
                                   known_names()));
    }
    if (option->local_only && !allow_local_) {
      return fail(invalid_argument(source + where_ +
                                   ": belongs to the machine that runs the job and cannot be set "
                                   "there"));
    }
    if (of_one_model_ && !is_of_one_model(*option)) {
      return fail(invalid_argument(source + where_ +
                                   ": is a setting of the whole job and not of one step; set it "
                                   "in the job's Environment"));
    }
    settings_->insert({name, {value, source}});
    return {};
  }

  Settings* settings_;
  std::string where_;
  bool allow_local_;
  bool of_one_model_;
};

void add_by_option_name(const Variables& layer, bool flags, Settings* settings) {
  for (const auto& [name, value] : layer) {
    settings->insert({name, {value, flags ? flag_name(name) : name}});
  }
}

}  // namespace

const std::vector<JobOption>& job_options() {
  static const std::vector<JobOption> table = make_table();
  return table;
}

const char* option_of_native(const char* name) {
  return std::string_view(name) == kNativeOutput ? kOutputShape : name;
}

const JobOption* find_job_option(std::string_view name) {
  for (const JobOption& option : job_options()) {
    if (name == option.name) return &option;
  }
  return nullptr;
}

std::string value_of(const Variables& variables, const std::string& name) {
  const auto found = variables.find(name);
  return found == variables.end() ? "" : found->second;
}

std::string flag_name(std::string_view option) {
  std::string flag = "--";
  for (const char c : option) {
    flag += c == '_' ? '-' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return flag;
}

std::string variable_name(std::string_view option) {
  if (option == kOutputShape) option = kNativeOutput;
  return std::string(kPrefix).append(option);
}

Result<Settings> merge_settings(const SettingLayers& layers) {
  Settings settings;  // insert() never replaces, so the strongest layer comes first
  add_by_option_name(layers.flags, true, &settings);
  MR_TRY(LayerMerger(&settings, " in the job's Environment", false).merge(layers.job_environment));
  add_by_option_name(layers.api_members, false, &settings);
  MR_TRY(
      LayerMerger(&settings, " in the model's Environment", false).merge(layers.model_environment));
  MR_TRY(LayerMerger(&settings, " in the environment", true).merge(layers.process_environment));
  return settings;
}

Result<Settings> merge_step_settings(const SettingLayers& layers, size_t index) {
  const StepLayer& step = layers.steps[index];
  Settings settings;
  add_by_option_name(step.machine, true, &settings);
  add_by_option_name(layers.flags, true, &settings);
  MR_TRY(LayerMerger(&settings, " in the job's Environment", false).merge(layers.job_environment));
  add_by_option_name(layers.api_members, false, &settings);
  if (!step.image.empty()) settings.insert({"IMAGE", {step.image, "Image"}});
  const std::string where = " in the Environment of step " + std::to_string(index + 1);
  MR_TRY(LayerMerger(&settings, where, layers.local_steps, true).merge(step.environment));
  MR_TRY(LayerMerger(&settings, " in the environment", true).merge(layers.process_environment));
  settings.erase("MODEL");
  if (!step.model.empty()) settings["MODEL"] = {step.model, "ModelDataUrl"};
  return settings;
}

std::optional<std::string> setting_value(const Settings& settings, const std::string& name) {
  const auto found = settings.find(name);
  if (found == settings.end()) return std::nullopt;
  return found->second.value;
}

}  // namespace millrace::jobs
