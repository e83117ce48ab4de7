// InferenceHandler: what a model looks like to the data path, whatever stands behind it: the native
// engine, a container that answers POST /invocations, a Python script, or a pipeline of these.
// A request is a mini-batch; the promise of a reply comes back at once, so that the caller keeps
// order by submitting in order and taking futures from the front.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <future>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/cancel.h"
#include "base/result.h"
#include "record/format.h"
#include "record/record_span.h"

namespace millrace::handler {

using record::RecordSpan;

struct InvokeRequest {
  std::string content_type;  // as ContentType; empty: not given
  std::string accept;        // as Accept; empty: not given
  std::string object_name;   // "bucket/key" or the path: X-Amzn-SageMaker-Input-Object
  std::string body;          // the bytes as SageMaker would send them
  std::vector<RecordSpan> records;
  // Column of the text in CSV records, when the data path resolved it from the header by name.
  std::optional<uint32_t> text_column;
  // The data path cut the object with --csv rfc4180, so a record may hold line ends inside quotes.
  char csv_delimiter = ',';
  // Whose request it is: jobs that run at one time share the engine fairly. Empty: object_name's.
  std::string job;
  // Of those of one job that wait, the lowest is to be answered first; of one order, in turn.
  uint64_t order = 0;
  // Told by any thread, while the request is under way, of so many records more that are answered
  // and of the bytes of the body that they take; never of more than there are. What it is not told
  // of is answered with the reply; it may still be told after a cancelled one. Empty: nobody asks.
  std::function<void(uint32_t records, uint64_t body_bytes)> answered;
  CancelToken cancel;
};

// A record that could not be answered. `record` counts from 0 within the request.
struct RecordError {
  uint32_t record = 0;
  std::string message;
};

// What a user wants to know about the records behind a reply; summed over the job.
struct InvokeCounts {
  uint64_t rows = 0;
  uint64_t truncated = 0;
  uint64_t duplicates = 0;
  uint64_t cached = 0;  // answered from the result cache
  uint64_t empty = 0;
  uint64_t invalid_utf8 = 0;
  uint64_t not_model_language = 0;
  std::array<uint64_t, 9> cleaned =
      {};  // texts that each cleaning step changed, as CleanStep counts
  InvokeCounts& operator+=(const InvokeCounts& other);
};

struct InvokeReply {
  std::string content_type;
  std::string body;
  // Bounds of each record's reply in `body`, where the handler knows them (the native one does):
  // one entry for each record of the request. Empty: the data path counts lines itself.
  std::vector<RecordSpan> records;
  // Records refused, ascending. Where this is not empty, their spans are empty in `records`.
  std::vector<RecordError> errors;
  InvokeCounts counts;
};

// What the columns of a text/csv reply are, for outputs whose columns have types.
enum class ResultShape {
  kUnknown,
  kLabelled,  // a label, then numbers
  kNumbers,
  kVector,  // numbers that are one value: an embedding
  kEchoed   // the text, then any of these
};

// What the handler states of itself, as /execution-parameters does, and what it can do more.
struct HandlerTraits {
  std::optional<uint32_t> max_concurrent_transforms;
  std::optional<uint64_t> max_payload_in_mb;
  std::optional<record::BatchStrategy> batch_strategy;
  // Each record is answered alone, whatever stands beside it: mini-batches may then be cut anywhere
  // (an unlimited payload needs no unlimited request) and line ends do not matter.
  bool reads_records_alone = false;
  // stream() is there.
  bool streams = false;
  // Names of the columns that a text/csv reply has; empty: not known.
  std::vector<std::string> result_columns;
  ResultShape result_shape = ResultShape::kUnknown;
  // Model digest, precision, kernel revision and result-shaping settings: part of every staged
  // part's name. Empty: results may not be reused across runs.
  std::string identity;
};

// A request that is never whole in memory: its body is read while it is sent, and the reply is
// written as it comes.
struct StreamRequest {
  std::string content_type;
  std::string accept;
  std::string object_name;
  // Before each attempt: the body begins again. Its error ends the request.
  std::function<Status()> begin;
  std::function<Result<size_t>(std::span<char>)> read;  // 0: the end
  std::function<Status(std::string_view)> write;  // only of a reply that is the model's answer
  CancelToken cancel;
};

class InferenceHandler {
 public:
  virtual ~InferenceHandler() = default;

  virtual const HandlerTraits& traits() const = 0;

  // Queues the request. May block while the handler's queue is full. The future yields the reply;
  // bad_input (the request as a whole is refused), unavailable, cancelled or internal.
  // Thread-safe.
  virtual std::future<Result<InvokeReply>> invoke(InvokeRequest request) = 0;

  // Answers a request without end; returns when the reply is written. Errors as invoke()'s, and
  // those of the request's functions. REQUIRES: traits().streams. Thread-safe.
  virtual Status stream(const StreamRequest& request);

  // When the model began to compute its first record; nullopt before, or where it cannot be known.
  virtual std::optional<std::chrono::steady_clock::time_point> first_inference() const {
    return std::nullopt;
  }

  // What went otherwise than the user asked without failing any record; for the end of a job.
  virtual std::vector<std::string> notices() const { return {}; }
};

}  // namespace millrace::handler
