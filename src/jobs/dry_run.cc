// Counting, predicting and measuring go through the same data path as the job itself.
#include "jobs/dry_run.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/limits.h"
#include "model/text_classification_model.h"
#include "record/compressor.h"
#include "transform/existing_outputs.h"
#include "transform/journal.h"
#include "transform/preview.h"

namespace millrace::jobs {
namespace {

using NamedSettings = std::vector<std::pair<std::string, std::string>>;

const char* name_of(record::SplitType type) {
  constexpr const char* kNames[] = {"None", "Line", "RecordIO", "TFRecord", "JsonArray", "Parquet"};
  return kNames[static_cast<int>(type)];
}

const char* name_of(record::TextEncoding encoding) {
  constexpr const char* kNames[] = {"utf-8", "utf-16", "utf-16le", "utf-16be", "cp1252", "cp1258"};
  return kNames[static_cast<int>(encoding)];
}

const char* name_of(transform::IfExists mode) {
  constexpr const char* kNames[] = {"fail", "overwrite", "skip", "update"};
  return kNames[static_cast<int>(mode)];
}

const char* name_of(transform::RecordErrorRules::On on) {
  constexpr const char* kNames[] = {"fail", "record", "drop"};
  return kNames[static_cast<int>(on)];
}

const char* name_of(record::Compression compression) {
  constexpr const char* kNames[] = {"none", "gzip", "zstd"};
  return kNames[static_cast<int>(compression)];
}

std::string payload_of(const record::DataFormat& format) {
  return std::to_string(format.max_payload_bytes / limits::kMiB);
}

// Only CSV has these.
void add_csv(const record::DataFormat& format, NamedSettings* out) {
  if (record::media_type(format.content_type) != record::MediaType::kCsv) return;
  out->emplace_back("csv", format.csv.rfc4180 ? "rfc4180" : "line");
  out->emplace_back("csv_header", format.csv.header ? "true" : "false");
  out->emplace_back("csv_delimiter",
                    format.csv.delimiter == '\t' ? "tab" : std::string(1, format.csv.delimiter));
}

NamedSettings resolved(const JobSettings& settings, const transform::TransformJob& job) {
  const record::DataFormat& format = job.format;
  const bool gzip = format.compression_type == record::CompressionType::kGzip;
  const bool single = format.batch_strategy == record::BatchStrategy::kSingleRecord;
  const bool lines = format.assemble_with == record::AssembleWith::kLine;
  NamedSettings out = {
      {"input", settings.input},
      {"output", settings.output},
      {"content_type", format.content_type},
      {"accept", format.accept},
      {"compression_type", gzip ? "Gzip" : "None"},
      {"encoding", name_of(format.encoding)},
      {"split_type", name_of(format.split_type)},
      {"batch_strategy", single ? "SingleRecord" : "MultiRecord"},
      {"assemble_with", lines ? "Line" : "None"},
      {"max_payload_in_mb", payload_of(format)},
      {"max_concurrent_transforms", std::to_string(job.max_concurrent_transforms)},
      {"join_source", format.join_source == record::JoinSource::kInput ? "Input" : "None"},
      {"input_filter", format.input_filter.text},
      {"output_filter", format.output_filter.text},
      {"text_column", job.text_column},
      {"on_record_error", name_of(job.record_errors.on)},
      {"error_threshold", job.record_errors.text},
      {"if_exists", name_of(job.if_exists)},
      {"output_suffix", settings.output_suffix},
      {"output_compression", name_of(settings.output_compression)},
      {"merge", settings.merge},
      {"threads", std::to_string(settings.threads)},
  };
  add_csv(format, &out);
  return out;
}

// Guards that the job itself would stop at, and which outputs it would keep.
Status look_at_outputs(const DryRunInput& input, store::ObjectStore& output,
                       transform::TransformJob* job) {
  MR_ASSIGN(const transform::JournalState earlier, transform::read_journal(*input.work));
  const std::string& identity = input.loaded->handler->traits().identity;
  MR_TRY(transform::settle_existing_outputs(job, output, earlier, identity));
  auto& objects = job->objects;
  objects.erase(std::remove_if(objects.begin(), objects.end(),
                               [](const transform::PlannedObject& object) { return object.kept; }),
                objects.end());
  return {};
}

// Long records are shown by their beginning.
std::string shown(const std::string& text) {
  if (text.size() <= limits::kReplyExcerptBytesMax) return text;
  return text.substr(0, limits::kReplyExcerptBytesMax) + "...";
}

std::vector<DryRun::Sample> predict(const transform::Head& head, handler::InferenceHandler& handler,
                                    const CancelToken& cancel) {
  std::vector<DryRun::Sample> samples;
  for (size_t i = 0; i < std::min(limits::kPreviewSamples, head.size()); ++i) {
    const Result<std::string> result = head.result(i, handler, cancel);
    samples.push_back({head.object(), shown(head.record(i)),
                       shown(result ? *result : "error: " + result.error().message)});
  }
  return samples;
}

// How long the job would take with this handler. Where an object is one record, only its bytes tell
// how much work it is.
DryRun::Expectation expect(const DryRun& found, const transform::TransformJob& job,
                           const transform::Head& head, handler::InferenceHandler& handler,
                           const CancelToken& cancel) {
  DryRun::Expectation expectation;
  const auto rate = transform::measure_rate(head, handler, limits::kPreviewMeasureSeconds, cancel);
  if (!rate) {
    expectation.unavailable = rate.error().message;
    return expectation;
  }
  expectation.records_per_s = rate->records_per_s;
  const bool by_bytes = job.format.split_type == record::SplitType::kNone;
  expectation.seconds = by_bytes ? static_cast<double>(found.bytes) / rate->bytes_per_s
                                 : static_cast<double>(found.records) / rate->records_per_s;
  return expectation;
}

// One after the other, so that only one more model is in memory.
std::vector<DryRun::Expectation> expect_all(const DryRunInput& input, const DryRun& found,
                                            const transform::TransformJob& job,
                                            const transform::Head& head) {
  std::vector<DryRun::Expectation> all;
  if (input.loaded->model == nullptr) {
    all.push_back(expect(found, job, head, *input.loaded->handler, input.cancel));
    return all;
  }
  for (const std::string precision : {"fp32", "bf16", "int8"}) {
    JobSettings settings = *input.settings;
    settings.precision = precision;
    DryRun::Expectation expectation;
    const auto loaded = load_native_handler(*input.artifact, settings);
    if (!loaded) {
      expectation.unavailable = loaded.error().message;
    } else if (model::precision_name(loaded->model->info().precision) != precision) {
      expectation.unavailable = "this machine does not have it";
    } else {
      expectation = expect(found, job, head, *loaded->handler, input.cancel);
    }
    expectation.precision = precision;
    all.push_back(std::move(expectation));
  }
  return all;
}

}  // namespace

Result<DryRun> dry_run(const DryRunInput& input, store::ObjectStore& source,
                       store::ObjectStore* output) {
  DryRun found;
  found.model_name = input.model_name;
  found.skipped = input.skipped;
  found.job_name = input.job->name;
  found.objects = input.job->objects.size();
  if (found.objects == 0) return found;
  found.settings = resolved(*input.settings, *input.job);
  for (size_t i = 0; i < input.loaded->steps.size(); ++i) {
    found.settings.emplace_back(fmt::format("step_{}", i + 1), input.loaded->steps[i].label);
  }

  transform::TransformJob job = *input.job;
  MR_TRY(look_at_outputs(input, *output, &job));
  found.kept_objects = found.objects - job.objects.size();
  for (const transform::PlannedObject& object : job.objects) found.bytes += object.input.size;
  handler::InferenceHandler& handler = *input.loaded->handler;
  const auto count = transform::count_records(job, source, handler.traits(),
                                              limits::kPreviewCountSeconds, input.cancel);
  found.records = count.records;
  found.records_exact = count.exact;
  const transform::Head head = transform::Head::read(job, source, handler, input.cancel);
  if (head.empty()) return found;
  found.samples = predict(head, handler, input.cancel);
  found.expected = expect_all(input, found, job, head);
  if (input.cancel.cancelled()) return fail(cancelled("stopped"));
  return found;
}

}  // namespace millrace::jobs
