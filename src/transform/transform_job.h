// A transform job, resolved: what to run over what, and where the results go. run_transform_job is
// the data path from the frozen list of inputs to committed outputs.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "base/result.h"
#include "handler/inference_handler.h"
#include "record/compressor.h"
#include "record/format.h"
#include "record/splitter.h"
#include "store/object_store.h"

namespace millrace::transform {

struct PlannedObject {
  store::ObjectInfo input;
  std::string output_key;
  // Found before the job begins (existing_outputs.h): the output is there already and is what the
  // job would write; an errors file of an earlier result lies beside where it will be.
  bool kept = false;
  bool stale_errors = false;
};

// What becomes of results on their way into output objects.
struct OutputForm {
  record::Compression compression = record::Compression::kNone;
  // Not empty: the key of the one object that all results become, in the order of the inputs' keys
  // and under one header. It is written when all inputs are done, or not at all.
  std::string merge_key;
  // Not empty: the last column (JSON: an attribute) of each record, which names its input's key.
  std::string source_column;

  bool merges() const { return !merge_key.empty(); }
};

// What becomes of a record that is bad input. Time-outs, lost connections and errors of a store or
// of the model are none of a record's: they fail the object.
struct RecordErrorRules {
  enum class On { kFail, kRecord, kDrop } on = On::kFail;
  // At most so many in one object; more fail it. At most one of the two is set.
  std::optional<uint64_t> count_max;  // at once
  std::optional<double> percent_max;  // of its records, judged at its end
  std::string text;                   // the threshold as the user gave it

  bool keep_going() const { return on != On::kFail; }
  record::BadRecords bad_records() const {
    return keep_going() ? record::BadRecords::kGive : record::BadRecords::kFail;
  }
};

// What to do with outputs that exist: refuse the job (the CLI's default), replace them (the API's),
// keep those that are what the job would write and refuse it for any other, or replace the others.
enum class IfExists { kFail, kOverwrite, kSkip, kUpdate };

// What has become of an object so far.
enum class ObjectState : uint8_t { kWaiting, kRunning, kCompleted, kKept, kFailed, kStopped };

struct ObjectReport {
  std::string input;   // as the store describes it
  std::string output;  // likewise; empty: not written
  uint64_t records = 0;
  uint64_t failed_records = 0;  // of them, in a committed output
  ObjectState state = ObjectState::kWaiting;
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;  // of the output, before it is compressed; 0 where results are merged
  double seconds = 0;
  handler::InvokeCounts counts;
  // Empty: committed. "object: record 7 (byte 812): cause"; how records are named: part.h.
  std::string error;
  Code error_code = Code::kInternal;  // of `error`

  // The output was there already; what is in it was not counted.
  bool kept() const { return state == ObjectState::kKept; }
};

struct TransformJob {
  std::string name;
  record::DataFormat format;
  OutputForm output_form;
  // Name or 0-based index of the text column; a name is resolved against each object's CSV header.
  std::string text_column;
  std::string result_prefix;  // for messages about clashing column names
  uint32_t max_concurrent_transforms = 1;
  uint64_t part_bytes = 0;
  // Each result gets an inference id and the job's start (record/inference_id.h).
  bool generate_inference_id = false;
  // The job's first start, "2022-08-30T00:49:15Z"; the run finds it in the work area, or sets it.
  std::string started;
  std::string kms_key_id;  // for outputs in S3; "": none
  RecordErrorRules record_errors;
  IfExists if_exists = IfExists::kFail;
  int feeders = 2;  // parts that are worked on at one time
  std::vector<PlannedObject> objects;
  // Told of each object that is done with, or failed; by several threads, one at a time.
  std::function<void(const ObjectReport&)> object_done;
  // Also a Completed job leaves its work area: whoever must first store that it is, removes it.
  bool keep_work_area = false;
  // Hash over everything that decides the bytes of a result (format, text column, environment,
  // model identity): names staged parts, and tells a changed job from the same one.
  std::string settings_digest;
  std::string model_digest;
  // Where inputs and outputs lie. A job of the same name between other places is another job: what
  // that one wrote is not its own.
  std::string places;

  bool may_replace() const {
    return if_exists == IfExists::kOverwrite || if_exists == IfExists::kUpdate;
  }
};

struct JobReport {
  enum class Status { kCompleted, kFailed, kStopped } status = Status::kCompleted;
  std::vector<ObjectReport> objects;
  std::string started;  // as TransformJob has it
  uint64_t records = 0;
  uint64_t failed_objects = 0;
  uint64_t kept_objects = 0;    // whose outputs were there already
  uint64_t failed_records = 0;  // records that were refused, also those that failed their object
  // Of `records`, those that an earlier run of the job had done: nothing was computed again.
  uint64_t resumed_records = 0;
  handler::InvokeCounts counts;
  double seconds = 0;
};

// What is known at one moment; handed to the progress sink every few hundred milliseconds.
struct Progress {
  uint64_t objects_done = 0, objects_failed = 0, objects_total = 0;  // done: kept ones too
  uint64_t objects_kept = 0;
  uint64_t objects_running = 0;
  std::vector<std::string> running;  // some of these, by key
  uint64_t records_done = 0;
  uint64_t records_failed = 0;               // of them: refused, and costing only themselves
  uint64_t records_total = 0;                // as far as scanned
  bool records_total_exact = false;          // false: "at least"
  uint64_t bytes_done = 0, bytes_total = 0;  // of input; for the ETA
  double seconds = 0;
  bool ended = false;  // the job has: no other is told after this one
  // Over the last minute; what an earlier run had done does not count.
  double records_per_s = 0, bytes_per_s = 0;

  // From bytes, for how many records are still to come is known only to the scan. nullopt: before
  // enough was done to tell.
  std::optional<double> eta_seconds() const;
};
using ProgressSink = std::function<void(const Progress&)>;

class WorkStorage;

// Runs the job to its end. `work` is this job's own place (made if missing); it holds the plan, the
// journal and staged parts, is locked while the job runs (already locked: already_exists; taken by
// another process meanwhile: unavailable) and is emptied when the job is Completed. Uploads that an
// earlier run journalled there are aborted first. An object's failure is in its report, not in the
// Result; the Result fails only when the job as a whole could not start or go on (work area, lock).
Result<JobReport> run_transform_job(TransformJob job, store::ObjectStore& input,
                                    store::ObjectStore& output, handler::InferenceHandler& handler,
                                    std::unique_ptr<WorkStorage> work, const ProgressSink& progress,
                                    const CancelToken& cancel);

}  // namespace millrace::transform
