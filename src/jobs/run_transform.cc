#include "jobs/run_transform.h"

#include <fmt/format.h>

#include <algorithm>
#include <future>
#include <span>
#include <system_error>
#include <thread>

#include "base/background.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "base/xxh3.h"
#include "jobs/data_capture.h"
#include "jobs/job_models.h"
#include "jobs/job_report.h"
#include "jobs/locations.h"
#include "jobs/user_folders.h"
#include "jobs/work_place.h"
#include "transform/manifest.h"
#include "transform/plan_inputs.h"
#include "transform/work_area.h"

namespace millrace::jobs {
namespace {

namespace fs = std::filesystem;

// What decides a result's bytes, besides the record itself.
std::string settings_digest(const JobSettings& settings, const record::DataFormat& format,
                            const std::string& handler_identity) {
  Xxh3 digest;
  digest.field(handler_identity).field(format.content_type).field(format.accept);
  digest.field(
      fmt::format("{} {} {} {} {} {} {} {}", static_cast<int>(format.split_type),
                  static_cast<int>(format.batch_strategy), static_cast<int>(format.assemble_with),
                  static_cast<int>(format.join_source), format.csv.rfc4180, format.csv.header,
                  static_cast<int>(format.csv.delimiter), format.max_payload_bytes));
  digest.field(fmt::format("{} {} {}", static_cast<int>(format.compression_type),
                           static_cast<int>(format.encoding), format.csv.byte_order_mark));
  digest.field(std::to_string(static_cast<int>(settings.output_compression)));
  digest.field(settings.merge_source_column);
  for (const record::JsonPath* path : {&format.input_filter, &format.output_filter}) {
    digest.field(path->text).field(std::to_string(static_cast<int>(path->mode)));
  }
  if (settings.generate_inference_id) digest.field("inference ids");
  digest.field(fmt::format("{} {}", static_cast<int>(settings.record_errors.on),
                           settings.record_errors.text));
  for (const auto& [name, value] : settings.native) digest.field(name).field(value);
  return digest.hex();
}

std::string places(const InputLocation& input, const OutputLocation& output) {
  Xxh3 places;
  places.field(input.root.bucket).field(input.root.path).field(input.prefix);
  return places.field(output.root.bucket).field(output.root.path).field(output.prefix).hex();
}

// The same command gives the same name, so that running it again goes on where it was.
std::string derived_job_name(const JobSettings& settings, const std::string& model_name,
                             const InputLocation& input, const OutputLocation& output,
                             const std::string& digest) {
  Xxh3 name;
  name.field(model_name)
      .field(settings.model_command)
      .field(settings.model_image)
      .field(input.root.bucket)
      .field(input.root.path)
      .field(input.prefix);
  name.field(output.root.bucket).field(output.root.path).field(output.prefix).field(digest);
  name.field(settings.output_suffix).field(settings.merge);
  return "millrace-" + name.hex().substr(0, 16);
}

// An input location, its store, and what lies there.
struct Source {
  InputLocation location;
  std::unique_ptr<store::ObjectStore> store;
  transform::Plan plan;
  std::vector<std::string> skipped;  // of the plan, "key: why"
};

// The whole of a small object.
Result<std::string> read_object(store::ObjectStore& store, const std::string& key,
                                size_t bytes_max) {
  MR_ASSIGN(const store::ObjectInfo object, store.stat(key));
  if (!object.problem.empty()) return fail(bad_input(object.problem));
  if (object.size > bytes_max) {
    return fail(
        invalid_argument(fmt::format("it has {} bytes, more than {}", object.size, bytes_max)));
  }
  MR_ASSIGN(const auto reader, store.open(object, 0, object.size));
  std::string text(static_cast<size_t>(object.size), '\0');
  for (size_t have = 0; have < text.size();) {
    MR_ASSIGN(const size_t got, reader->read(std::span(text).subspan(have)));
    if (got == 0) return fail(corruption("it ends early"));
    have += got;
  }
  return text;
}

// A manifest takes the place of a listing: `source` then is where its prefix is.
Status take_manifest(const TransformRequest& request, const JobSettings& settings, Source* source,
                     transform::PlanOptions* options) {
  const std::string name = "the manifest " + settings.input;
  const auto within = [&](Error error) { return fail(std::move(error).within(name)); };
  Result<std::string> text =
      read_object(*source->store, source->location.prefix, limits::kManifestBytesMax);
  if (!text) return within(std::move(text).error());
  Result<transform::Manifest> manifest = transform::parse_manifest(*text);
  if (!manifest) return within(std::move(manifest).error());
  Result<InputLocation> location = manifest_location(manifest->prefix, source->location);
  if (!location) return within(std::move(location).error());
  source->location = std::move(*location);
  MR_ASSIGN(source->store, make_store(source->location.root, settings, request.cancel));
  options->keys = std::move(manifest->keys);
  return {};
}

// A model that lies beside the data would be sent to the model as data. One that was named in full
// was meant.
Status refuse_model_artifacts(const Source& source) {
  for (const transform::PlannedObject& object : source.plan.objects) {
    const std::string& key = object.input.key;
    if (key == source.location.prefix || !is_model_artifact(key)) continue;
    return fail(invalid_argument(source.store->describe(key) +
                                 ": a model's file among the inputs; nothing was started. Name a "
                                 "narrower --input, or the objects in a manifest"));
  }
  return {};
}

Result<Source> list_inputs(const TransformRequest& request, const JobSettings& settings) {
  Source source;
  MR_ASSIGN(source.location, input_location(settings.input));
  MR_ASSIGN(source.store, make_store(source.location.root, settings, request.cancel));
  transform::PlanOptions options;
  if (settings.is_manifest) MR_TRY(take_manifest(request, settings, &source, &options));
  options.input_prefix = source.location.prefix;
  options.input_is_object = source.location.is_object;
  options.skip_markers = !settings.as_api;
  options.output_suffix =
      settings.output_suffix + std::string(record::compression_suffix(settings.output_compression));
  MR_ASSIGN(source.plan, transform::plan_inputs(*source.store, options));
  source.skipped = source.plan.skipped;
  for (const std::string& skipped : source.skipped) request.notice("skipped " + skipped);
  const bool guarded = !settings.as_api && !settings.is_manifest;
  if (guarded) MR_TRY(refuse_model_artifacts(source));
  if (source.plan.objects.empty() && !settings.allow_empty) {
    return fail(
        not_found(settings.input + ": no input objects found (--allow-empty accepts that)"));
  }
  return source;
}

std::vector<std::string> keys_of(const transform::Plan& plan) {
  std::vector<std::string> keys;
  keys.reserve(plan.objects.size());
  for (const auto& object : plan.objects) {
    // What cannot be read (a link in a circle, a FIFO) tells nothing and fails by itself, later.
    if (object.input.problem.empty()) keys.push_back(object.input.key);
  }
  if (!keys.empty()) return keys;
  for (const auto& object : plan.objects) keys.push_back(object.input.key);
  return keys;
}

void name_outputs(const OutputLocation& output, transform::Plan* plan) {
  for (transform::PlannedObject& object : plan->objects) {
    object.output_key = output.is_object ? output.prefix : output.prefix + object.output_key;
  }
}

// The job's own word goes before the model's, which goes before SageMaker's defaults.
JobSettings with_traits(JobSettings settings, const handler::HandlerTraits& traits) {
  if (!settings.batch_strategy) settings.batch_strategy = traits.batch_strategy;
  if (!settings.max_payload_in_mb) settings.max_payload_in_mb = traits.max_payload_in_mb;
  if (!settings.max_concurrent_transforms) {
    settings.max_concurrent_transforms = traits.max_concurrent_transforms;
  }
  return settings;
}

// Enough lanes that reading and joining never keep the model waiting. Where requests are answered
// one by one, no more than there may be of them: so a server that gets one at a time gets an
// object's from first to last, whatever its parts.
int feeders_of(int threads, const transform::TransformJob& job,
               const handler::HandlerTraits& traits) {
  const int enough = threads + 2;
  if (traits.reads_records_alone) return enough;
  return std::min(enough, static_cast<int>(job.max_concurrent_transforms));
}

transform::OutputForm output_form(const JobSettings& settings, const OutputLocation& output) {
  transform::OutputForm form;
  form.compression = settings.output_compression;
  if (!settings.merge.empty()) form.merge_key = output.prefix + settings.merge;
  form.source_column = settings.merge_source_column;
  return form;
}

transform::TransformJob make_job(const JobSettings& settings, const record::DataFormat& format,
                                 const handler::HandlerTraits& traits, transform::Plan plan) {
  transform::TransformJob job;
  job.format = format;
  if (format.split_type == record::SplitType::kParquet) {
    job.format.accept = traits.result_columns.empty() ? "application/jsonlines" : "text/csv";
  }
  job.text_column = settings.text_column;
  const auto prefix = settings.native.find("RESULT_PREFIX");
  job.result_prefix = prefix == settings.native.end() ? "predicted_" : prefix->second;
  job.max_concurrent_transforms = settings.max_concurrent_transforms.value_or(1);
  job.part_bytes = settings.part_bytes;
  job.if_exists = settings.if_exists;
  job.generate_inference_id = settings.generate_inference_id;
  job.kms_key_id = settings.kms_key_id;
  job.record_errors = settings.record_errors;
  job.feeders = feeders_of(settings.threads, job, traits);
  job.objects = std::move(plan.objects);
  job.settings_digest = settings_digest(settings, format, traits.identity);
  return job;
}

// JSON and Parquet hold UTF-8 only, and keys may be any bytes.
Status check_source_keys(const JobSettings& settings, const record::DataFormat& format,
                         const std::vector<std::string>& keys) {
  if (settings.merge_source_column.empty()) return {};
  const bool parquet = format.split_type == record::SplitType::kParquet;
  const bool csv = record::media_type(format.accept) == record::MediaType::kCsv;
  if (csv && !parquet) return {};
  const auto bad = std::find_if_not(keys.begin(), keys.end(), is_utf8);
  if (bad == keys.end()) return {};
  return fail(invalid_argument("--merge-source-column: the key '" + *bad +
                               "' of an input is not UTF-8, which results in " +
                               (parquet ? "Parquet" : "JSON") +
                               " cannot hold; rename the object, or leave the column away"));
}

Status check_required(const JobSettings& settings) {
  if (settings.input.empty()) return fail(invalid_argument("--input is missing"));
  if (settings.output.empty()) return fail(invalid_argument("--output is missing"));
  return {};
}

Result<JobSettings> settings_of(const TransformRequest& request, const Settings& merged) {
  const int cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  MR_ASSIGN(JobSettings settings, check_settings(merged, cores));
  settings.as_api = request.as_api;
  MR_TRY(check_required(settings));
  return settings;
}

// Everything that is known before work starts: what to run, over which objects, and where results
// will lie.
struct Prepared {
  JobSettings settings;
  bool precision_by_default = false;
  std::string model_name;
  std::vector<JobModel> models;  // one, or a pipeline's
  LoadedHandler loaded;
  Source source;
  OutputLocation output;
  std::unique_ptr<store::ObjectStore> output_store;
  std::unique_ptr<transform::WorkStorage> work;
  transform::TransformJob job;  // of no objects: there are none, and nothing but the model is known
};

// The model loads while the inputs are listed: both take a moment, and neither needs the other.
Status load_and_list(const TransformRequest& request, Prepared* prepared) {
  const JobSettings& settings = prepared->settings;
  MR_ASSIGN(prepared->models, find_models(request, settings));
  const std::vector<JobModel>& models = prepared->models;
  prepared->model_name = models_name(models);
  const CancelToken load_cancel = request.cancel.child();
  auto loading = in_background([&] { return load_models(models, request, load_cancel); });
  Result<Source> listed = list_inputs(request, settings);
  if (!listed) load_cancel.cancel();  // nobody needs the model that we might wait for
  Result<LoadedHandler> loaded = loading.get();
  if (!listed) return fail(std::move(listed).error());
  if (!loaded) return fail(std::move(loaded).error());
  prepared->loaded = std::move(*loaded);
  prepared->source = std::move(*listed);
  return {};
}

// What would spoil this run or the next one is said before anything starts.
Status place_outputs(const TransformRequest& request, const std::string& job_name,
                     Prepared* prepared) {
  const JobSettings& settings = prepared->settings;
  const Source& source = prepared->source;
  const OutputLocation& output = prepared->output;
  MR_TRY(check_apart(source.location, output, settings.output));
  if (!settings.as_api && !settings.is_manifest) {
    MR_TRY(check_not_read_again(source.location, output, settings.output));
  }
  MR_ASSIGN(prepared->output_store, make_store(output.root, settings, request.cancel));
  MR_ASSIGN(const store::Location work, work_location(settings.work_dir, request.environment));
  MR_TRY(check_apart_from_work(settings, work, source.location, output));
  MR_ASSIGN(prepared->work,
            open_work_storage(work, job_name, settings, request.notice, request.cancel));
  return {};
}

Result<Prepared> prepare(const TransformRequest& request, bool dry) {
  MR_ASSIGN(const Settings merged, merge_settings(request.layers));
  Prepared prepared;
  MR_ASSIGN(prepared.settings, settings_of(request, merged));
  const std::string& report = prepared.settings.report;
  if (!report.empty() && !dry) MR_TRY(check_report_file(report));
  prepared.precision_by_default = !setting_value(merged, "PRECISION");
  if (dry) prepared.settings.result_cache.clear();  // nothing is written
  MR_TRY(load_and_list(request, &prepared));
  const handler::HandlerTraits& traits = prepared.loaded.handler->traits();
  prepared.settings = with_traits(std::move(prepared.settings), traits);
  const JobSettings& settings = prepared.settings;
  Source& source = prepared.source;
  if (source.plan.objects.empty()) return prepared;  // as --allow-empty says

  const std::vector<std::string> keys = keys_of(source.plan);
  MR_ASSIGN(record::DataFormat format, infer_format(settings, keys));
  MR_TRY(take_filters(settings, &format));
  MR_TRY(check_format(format));
  MR_TRY(check_output_form(settings, format));
  MR_TRY(check_source_keys(settings, format, keys));
  MR_TRY(check_models(prepared.loaded, format));
  const std::string digest = settings_digest(settings, format, traits.identity);
  const bool single = source.plan.objects.size() == 1 && settings.merge.empty() && !settings.as_api;
  MR_ASSIGN(prepared.output, output_location(settings.output, single));
  const std::string name = settings.job_name.empty()
                               ? derived_job_name(settings, prepared.model_name, source.location,
                                                  prepared.output, digest)
                               : settings.job_name;
  MR_TRY(place_outputs(request, name, &prepared));
  name_outputs(prepared.output, &source.plan);

  prepared.job = make_job(settings, format, traits, std::move(source.plan));
  prepared.job.name = name;
  prepared.job.places = places(source.location, prepared.output);
  prepared.job.output_form = output_form(settings, prepared.output);
  if (!report.empty() && !dry) {
    MR_TRY(check_report_apart(report, prepared.job, *source.store, *prepared.output_store));
  }
  const auto& model = prepared.loaded.model;
  prepared.job.model_digest =
      model != nullptr ? model->info().digest : steps_digest(prepared.loaded);
  return prepared;
}

Status write_report(const JobSettings& settings, const TransformOutcome& outcome) {
  return settings.report.empty() ? Status() : write_job_report(settings.report, outcome);
}

}  // namespace

Status abandon_transform(const TransformRequest& request) {
  MR_ASSIGN(const Settings merged, merge_settings(request.layers));
  MR_ASSIGN(const JobSettings settings, settings_of(request, merged));
  if (settings.job_name.empty()) return {};
  MR_ASSIGN(const store::Location work, work_location(settings.work_dir, request.environment));
  MR_ASSIGN(auto area,
            open_work_storage(work, settings.job_name, settings, request.notice, request.cancel));
  MR_ASSIGN(const bool begun, area->has_journal());
  if (!begun) return {};
  MR_ASSIGN(const OutputLocation output, output_location(settings.output, false));
  MR_ASSIGN(const auto store, make_store(output.root, settings, request.cancel));
  MR_ASSIGN(const auto opened, transform::WorkArea::open(std::move(area)));
  return opened->clean_up(*store);
}

Result<TransformOutcome> run_transform(const TransformRequest& request) {
  MR_ASSIGN(Prepared prepared, prepare(request, false));
  const handler::InferenceHandler& handler = *prepared.loaded.handler;
  TransformOutcome outcome;
  outcome.model_name = prepared.model_name;
  outcome.steps = prepared.loaded.steps;
  if (prepared.loaded.model != nullptr) outcome.model = prepared.loaded.model->info();
  if (prepared.job.objects.empty()) {
    outcome.job_name = prepared.settings.job_name;
    MR_TRY(write_report(prepared.settings, outcome));
    return outcome;
  }
  transform::TransformJob& job = prepared.job;
  job.object_done = request.object_done;
  job.keep_work_area = request.keep_work_area;
  if (request.starting) request.starting(job);
  outcome.job_name = job.name;
  outcome.precision_by_default = prepared.precision_by_default;
  outcome.work_area = prepared.work->describe();
  MR_ASSIGN(outcome.report,
            transform::run_transform_job(job, *prepared.source.store, *prepared.output_store,
                                         *prepared.loaded.handler, std::move(prepared.work),
                                         request.progress, request.cancel));
  if (Status captured =
          write_data_capture(prepared.settings, request.cancel, prepared.source.location,
                             prepared.output, job, outcome.report);
      !captured) {
    outcome.capture_problem = std::move(captured).error();
  }
  outcome.first_inference = handler.first_inference();
  outcome.notices = handler.notices();
  if (Status written = write_report(prepared.settings, outcome); !written) {
    outcome.report_problem = std::move(written).error().message;
  }
  return outcome;
}

Result<DryRun> dry_run_transform(const TransformRequest& request) {
  MR_ASSIGN(const Prepared prepared, prepare(request, true));
  DryRunInput input;
  input.settings = &prepared.settings;
  input.model_name = prepared.model_name;
  input.artifact = &prepared.models.front().artifact;
  input.loaded = &prepared.loaded;
  input.job = &prepared.job;
  input.work = prepared.work.get();
  input.skipped = prepared.source.skipped;
  input.cancel = request.cancel;
  return dry_run(input, *prepared.source.store, prepared.output_store.get());
}

}  // namespace millrace::jobs
