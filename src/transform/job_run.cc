// Planner, lanes and the end of an object. Locks are held only to touch the report.
#include "transform/job_run.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "base/background.h"
#include "base/limits.h"
#include "base/xxh3.h"
#include "transform/parquet_object.h"
#include "transform/scan_object.h"
#include "transform/transform_part.h"

namespace millrace::transform {
namespace {

constexpr char kStopped[] = "stopped before it was done";
// Raised when a part is cut or written in another way than before: a job that goes on under another
// version of the program must not put the two together.
constexpr int kStagedRevision = 1;

// MaxConcurrentTransforms is for models that answer requests one by one; never for a handler that
// packs the records of all requests together.
uint32_t requests_max(const TransformJob& job, const handler::HandlerTraits& traits) {
  if (traits.reads_records_alone) return 0;
  return std::max(1U, job.max_concurrent_transforms);
}

}  // namespace

JobRun::JobRun(const TransformJob& job, store::ObjectStore& input, store::ObjectStore& output,
               handler::InferenceHandler& handler, WorkArea& area, Counters& counters,
               ObjectStates& states, const CancelToken& cancel)
    : job_(job),
      input_(input),
      output_(output),
      handler_(handler),
      area_(area),
      counters_(counters),
      states_(states),
      cancel_(cancel),
      in_flight_(limits::kInFlightBytesMax, requests_max(job, handler.traits())),
      parts_(job.feeders, job.part_bytes, limits::kPartsAheadMax),
      outputs_(job_, output_, handler_.traits(), area_, cancel_),
      may_go_on_(!handler.traits().identity.empty()) {
  report_.objects.resize(job.objects.size());
  if (job.output_form.merges()) merge_parts_.resize(job.objects.size());
}

// One lane does it all where the machine has no threads for more.
Status JobRun::run_threads() {
  std::vector<std::thread> running;
  for (int i = 0; i < lanes(); ++i) {
    Result<std::thread> lane = start_thread([this] { work(); });
    if (!lane && running.empty()) return fail(std::move(lane).error());
    if (!lane) break;
    running.push_back(std::move(*lane));
  }
  plan_parts();
  for (std::thread& thread : running) thread.join();
  return {};
}

Result<JobReport> JobRun::run() {
  MR_TRY(run_threads());
  if (cancel_.cancelled() && counters_.objects_done < job_.objects.size()) {
    report_.status = JobReport::Status::kStopped;
    return take_report();
  }
  const bool all_kept = report_.kept_objects == job_.objects.size();
  if (job_.output_form.merges() && report_.failed_objects == 0 && !all_kept) merge_all();
  if (report_.failed_objects > 0) {
    report_.status = JobReport::Status::kFailed;
  }
  return take_report();
}

JobReport JobRun::take_report() {
  for (size_t i = 0; i < states_.size(); ++i) report_.objects[i].state = states_.get(i);
  return std::move(report_);
}

// One object keeps the feeders busy with its parts; small ones need more lanes (limits.h).
int JobRun::lanes() const {
  const auto objects = static_cast<int>(std::min<size_t>(job_.objects.size(), limits::kLanesMax));
  return std::max(job_.feeders, objects);
}

// --- the planner ---

void JobRun::plan_parts() {
  for (size_t i = 0; i < job_.objects.size(); ++i) {
    {
      std::lock_guard lock(mutex_);
      report_.objects[i].input = input_.describe(job_.objects[i].input.key);
    }
    if (cancel_.cancelled()) {
      fail_object(i, cancelled("stopped"));
    } else if (!job_.objects[i].input.problem.empty()) {
      fail_object(i, bad_input(job_.objects[i].input.problem));
      ++counters_.objects_counted;
    } else if (job_.objects[i].kept) {
      keep_object(i);
    } else if (!was_done_earlier(i)) {
      plan_object(i);
    }
  }
  parts_.close();
}

void JobRun::plan_object(size_t index) {
  const PlannedObject& planned = job_.objects[index];
  auto object = std::make_shared<ObjectRun>(index, planned, job_.record_errors, cancel_);
  states_.set(index, ObjectState::kRunning);
  auto emit = [&](Part part) {
    const bool wanted = !cancel_.cancelled() && !object->is_needless(part.index);
    counters_.records_found += part.records.value_or(0);
    if (part.last && part.records) ++counters_.objects_counted;
    CancelToken token = object->add_part(part.index);
    parts_.push({object, std::move(part), std::move(token)});
    return wanted;
  };
  if (is_parquet(job_.format)) {
    scan_parquet(input_, job_, planned.input, handler_.traits(), emit);
  } else if (is_cut_into_parts(job_, planned.input, handler_.traits())) {
    scan_object(input_, job_, planned.input, handler_.traits(), cancel_, emit);
  } else {
    Part whole;
    whole.length = planned.input.size;
    whole.last = true;
    emit(std::move(whole));
  }
}

// An earlier run of this job committed the output, from the same input and under the same settings,
// and it still is what was committed.
bool JobRun::was_done_earlier(size_t index) {
  const PlannedObject& planned = job_.objects[index];
  const auto& committed = area_.earlier().committed;
  const auto found = committed.find(planned.output_key);
  if (job_.output_form.merges() || found == committed.end() || !may_go_on_) return false;
  const CommittedOutput& then = found->second;
  if (then.input_etag != planned.input.etag || then.input_etag.empty()) return false;
  const Result<store::ObjectInfo> now = output_.stat(planned.output_key);
  if (!now || now->size != then.output_size || now->etag != then.output_etag) return false;
  if (then.failed_records > 0 && !output_.stat(errors_key(planned.output_key))) return false;

  counters_.records_found += then.records;
  counters_.records_done += then.records;
  counters_.records_failed += then.failed_records;
  counters_.bytes_done += planned.input.size;
  counters_.records_found_done += then.records;
  counters_.bytes_found_done += planned.input.size;
  ++counters_.objects_counted;
  ++counters_.objects_done;
  states_.set(index, ObjectState::kCompleted);
  std::lock_guard lock(mutex_);
  ObjectReport& report = report_.objects[index];
  report.output = output_.describe(planned.output_key);
  report.records = then.records;
  report.failed_records = then.failed_records;
  report.bytes_in = then.bytes_in;
  report.seconds = then.seconds;
  report.counts = then.counts;
  report.state = ObjectState::kCompleted;
  report_.records += then.records;
  report_.failed_records += then.failed_records;
  report_.resumed_records += then.records;
  report_.counts += then.counts;
  tell(report);
  return true;
}

// The output is there and is what this job would write.
void JobRun::keep_object(size_t index) {
  const PlannedObject& planned = job_.objects[index];
  counters_.bytes_done += planned.input.size;
  counters_.bytes_found_done += planned.input.size;
  ++counters_.objects_counted;
  ++counters_.objects_done;
  states_.set(index, ObjectState::kKept);
  std::lock_guard lock(mutex_);
  const OutputForm& form = job_.output_form;
  report_.objects[index].output =
      output_.describe(form.merges() ? form.merge_key : planned.output_key);
  report_.objects[index].bytes_in = planned.input.size;
  report_.objects[index].state = ObjectState::kKept;
  ++report_.kept_objects;
  tell(report_.objects[index]);
}

// --- a lane ---

void JobRun::work() {
  while (std::optional<PartTask> task = parts_.pop()) {
    Result<PartResult> result = transform(*task);
    if (task->part.last && !task->part.records) ++counters_.objects_counted;
    parts_.done(task->part);
    if (task->object->part_ended(task->part, result)) finish(*task->object);
  }
}

Result<PartResult> JobRun::transform(const PartTask& task) {
  if (task.cancel.cancelled()) return fail(cancelled("stopped"));
  // A scan that ended with its first step has left no part to transform.
  if (task.part.end_error && task.part.records == 0) return fail(*task.part.end_error);
  const bool whole = task.part.is_whole_object() && !stages_all();
  return whole ? transform_whole(task) : transform_staged(task);
}

Result<PartResult> JobRun::transform_to(const PartOutput& out, const PartTask& task) {
  const uint64_t order = (uint64_t{task.object->index()} << 32) + task.part.index;
  const PartContext context = {
      job_, task.object->planned().input, input_, handler_, in_flight_, counters_, task.cancel,
      order};
  MR_ASSIGN(PartResult result, transform_part(context, task.part, out));
  if (task.part.end_error) return fail(*task.part.end_error);
  return result;
}

// An object of one part needs no staging: it streams into its output, which nobody sees yet.
Result<PartResult> JobRun::transform_whole(const PartTask& task) {
  ObjectRun& object = *task.object;
  const OutputPlace place = outputs_.place_of(object.planned());
  MR_ASSIGN(const auto writer, outputs_.create(place, 0));
  ErrorsFile errors = outputs_.errors_of(place);
  MR_ASSIGN(PartResult result, transform_to({*writer, errors, object.refusals()}, task));
  MR_TRY(commit(object, result, place, *writer, errors));
  return result;
}

Result<PartResult> JobRun::transform_staged(const PartTask& task) {
  const std::string name = staged_name(task.object->planned(), task.part.index);
  Refusals& refusals = task.object->refusals();
  if (std::optional<PartResult> earlier = take_staged(task, name)) {
    MR_TRY(refusals.add(task.part.index, earlier->refused));
    return *earlier;
  }
  StagedParts& staged = area_.staged();
  staged.remove(name);
  MR_ASSIGN(const auto writer, staged.create(name));
  ErrorsFile errors([&] { return staged.create_errors(name); });
  MR_ASSIGN(PartResult result, transform_to({*writer, errors, refusals}, task));
  MR_TRY(errors.commit());
  MR_TRY(staged.write_result(name, task.part, result));
  MR_TRY(writer->commit());
  return result;
}

// An earlier run of this job staged the part, from the same bytes and under the same settings.
std::optional<PartResult> JobRun::take_staged(const PartTask& task, const std::string& name) {
  const bool versions_known = may_go_on_ && !task.object->planned().input.etag.empty();
  if (!versions_known || task.part.end_error) return std::nullopt;
  std::optional<PartResult> staged = area_.staged().find(name, task.part);
  if (!staged) return std::nullopt;
  counters_.records_done += staged->records;
  counters_.records_failed += staged->refused.count;
  counters_.bytes_done += task.part.length;
  counters_.records_found_done += staged->records;
  counters_.bytes_found_done += task.part.length;
  std::lock_guard lock(mutex_);
  report_.resumed_records += staged->records;
  return staged;
}

// --- an object's end ---

void JobRun::finish(ObjectRun& object) {
  const bool merges = job_.output_form.merges();
  Status status;
  if (object.error()) {
    status = fail(*object.error());
  } else if (merges) {
    status = object.refusals().judge(object.result().records);
  } else if (object.parts() > 1 || stages_all()) {
    status = assemble(object);
  }
  // Of an object that failed or was stopped, the parts that are done stay for the next run.
  if (!status) {
    fail_object(object.index(), status.error(), refused_in(object, status.error()));
    return;
  }

  // The output is there, whole; or, where results are merged, all that it needs of this object.
  if (!merges) {
    const bool staged = object.parts() > 1 || stages_all();
    for (uint32_t i = 0; staged && i < object.parts(); ++i) {
      area_.staged().remove(staged_name(object.planned(), i));
    }
  }
  ++counters_.objects_done;
  states_.set(object.index(), ObjectState::kCompleted);
  std::lock_guard lock(mutex_);
  ObjectReport& report = report_.objects[object.index()];
  if (merges) {
    merge_parts_[object.index()] = object.parts();
    merge_bytes_ += object.result().bytes;
  } else {
    report.output = output_.describe(object.planned().output_key);
    report.bytes_out = object.result().bytes;
  }
  report.records = object.result().records;
  report.failed_records = object.result().refused.count;
  report.bytes_in = object.planned().input.size;
  report.seconds = object.seconds();
  report.counts = object.result().counts;
  report.state = ObjectState::kCompleted;
  report_.records += object.result().records;
  report_.failed_records += object.result().refused.count;
  report_.counts += object.result().counts;
  tell(report);
}

// Puts the staged parts together in order and commits the object.
Status JobRun::assemble(ObjectRun& object) {
  MR_TRY(object.refusals().judge(object.result().records));  // before much is copied
  std::unique_lock one_at_a_time(parquet_mutex_, std::defer_lock);
  if (is_parquet(job_.format)) one_at_a_time.lock();
  const OutputPlace place = outputs_.place_of(object.planned());
  MR_ASSIGN(const auto writer, outputs_.create(place, object.result().bytes));
  const StagedObject staged = staged_object(object.index(), object.parts());
  ErrorsFile errors = outputs_.errors_of(place);
  MR_TRY(put_together({&staged, 1}, *writer, errors));
  return commit(object, object.result(), place, *writer, errors);
}

Status JobRun::put_together(std::span<const StagedObject> objects, store::ObjectWriter& writer,
                            ErrorsFile& errors) {
  const AssembleContext context = {job_, handler_.traits(), input_, area_.staged(), cancel_};
  MR_TRY(transform::assemble(context, objects, writer));
  if (!job_.record_errors.keep_going()) return {};
  for (const StagedObject& object : objects) {
    for (const std::string& part : object.parts) {
      MR_TRY(area_.staged().copy_errors(part, errors));
    }
  }
  return {};
}

StagedObject JobRun::staged_object(size_t index, uint32_t parts) const {
  StagedObject staged = {&job_.objects[index], {}};
  for (uint32_t i = 0; i < parts; ++i) staged.parts.push_back(staged_name(*staged.planned, i));
  return staged;
}

// --- the job's end ---

void JobRun::merge_all() {
  const std::string output = output_.describe(job_.output_form.merge_key);
  if (Status merged = merge(); !merged) {
    fail_object(0, std::move(merged).error().within("merge the results into " + output));
    if (cancel_.cancelled()) report_.status = JobReport::Status::kStopped;
    return;
  }
  for (ObjectReport& report : report_.objects) report.output = output;
}

Status JobRun::merge() {
  std::vector<StagedObject> objects;
  for (size_t i = 0; i < merge_parts_.size(); ++i) {
    objects.push_back(staged_object(i, merge_parts_[i]));
  }
  const OutputPlace place = outputs_.merged_place();
  MR_ASSIGN(const auto writer, outputs_.create(place, merge_bytes_));
  ErrorsFile errors = outputs_.errors_of(place);
  MR_TRY(put_together(objects, *writer, errors));
  return outputs_.commit(place, *writer, errors);
}

Status JobRun::commit(ObjectRun& object, const PartResult& result, const OutputPlace& place,
                      store::ObjectWriter& writer, ErrorsFile& errors) {
  MR_TRY(object.refusals().judge(result.records));
  MR_TRY(outputs_.commit(place, writer, errors));
  CommittedOutput committed;
  committed.output_key = place.key;
  committed.input_etag = object.planned().input.etag;
  committed.records = result.records;
  committed.failed_records = result.refused.count;
  committed.bytes_in = object.planned().input.size;
  committed.seconds = object.seconds();
  committed.counts = result.counts;
  outputs_.remember(std::move(committed), writer);
  return {};
}

// Records that were refused in an object that failed, as far as they are why it did.
uint64_t JobRun::refused_in(const ObjectRun& object, const Error& error) const {
  const Refusals& refusals = object.refusals();
  const auto& allowed = job_.record_errors.count_max;
  if (refusals.exceeded_part()) return *allowed + 1;
  if (refusals.count() > 0 && !refusals.judge(object.result().records)) return refusals.count();
  // One bad record ends its object; how messages name records is part.h's.
  return error.code == Code::kBadInput && error.message.starts_with("record ") ? 1 : 0;
}

void JobRun::fail_object(size_t index, const Error& error, uint64_t refused) {
  const bool stopped = error.code == Code::kCancelled;
  const std::string message = stopped ? kStopped : error.message;  // wherever it was stopped
  if (!stopped) ++counters_.objects_failed;
  states_.set(index, stopped ? ObjectState::kStopped : ObjectState::kFailed);
  std::lock_guard lock(mutex_);
  ObjectReport& report = report_.objects[index];
  // Errors of the store name the object already.
  const bool named = message.find(report.input) != std::string::npos;
  report.error = named ? message : report.input + ": " + message;
  report.error_code = error.code;
  report.state = stopped ? ObjectState::kStopped : ObjectState::kFailed;
  report_.failed_records += refused;
  if (stopped) return;
  ++report_.failed_objects;
  tell(report);
}

// REQUIRES: the lock is held, so that one object is told at a time.
void JobRun::tell(const ObjectReport& object) const {
  if (job_.object_done) job_.object_done(object);
}

// Named by all that decides the parts of an object and their bytes.
std::string JobRun::staged_name(const PlannedObject& planned, uint32_t part) const {
  const store::ObjectInfo& input = planned.input;
  Xxh3 digest;
  digest.field(input_.describe(input.key)).field(input.etag).field(std::to_string(input.size));
  digest.field(planned.output_key).field(job_.settings_digest);
  digest.field(handler_.traits().identity).field(std::to_string(job_.part_bytes));
  digest.field(std::to_string(kStagedRevision));
  return digest.hex() + "-" + std::to_string(part);
}

}  // namespace millrace::transform
