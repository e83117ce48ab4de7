// Preview: what a job would do, told from its objects without writing anything: how many records
// there are, what the first of them become, and how fast a model answers them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/cancel.h"
#include "base/result.h"
#include "handler/inference_handler.h"
#include "store/object_store.h"
#include "transform/transform_job.h"

namespace millrace::transform {

struct RecordCount {
  uint64_t records = 0;
  bool exact = true;  // false: the time was up, and the rest was estimated by its bytes
};

// Reads all objects and counts their records, for so many seconds. What cannot be read has none: it
// fails when the job runs.
RecordCount count_records(const TransformJob& job, store::ObjectStore& input,
                          const handler::HandlerTraits& traits, double seconds,
                          const CancelToken& cancel);

// The first records of a job: those of its first object that has any, up to some thousands.
class Head {
 public:
  // Reads them. No object has a record that can be read: empty().
  static Head read(const TransformJob& job, store::ObjectStore& input,
                   handler::InferenceHandler& handler, const CancelToken& cancel);

  bool empty() const { return ends_.empty(); }
  size_t size() const { return ends_.size(); }
  const std::string& object() const { return object_; }  // as the store describes it
  // Bytes of the first `count` records, without a CSV header.
  uint64_t bytes(size_t count) const { return ends_[count - 1] - begin_; }

  // One of the records as it stands in the object (decoded), and the output that it alone would
  // have (of CSV with a header, both without). The error is what would fail it.
  std::string record(size_t index) const;
  Result<std::string> result(size_t index, handler::InferenceHandler& handler,
                             const CancelToken& cancel) const;

  // Seconds that the first `count` records take, from their bytes to their results; bad ones among
  // them cost only themselves.
  Result<double> seconds(size_t count, handler::InferenceHandler& handler,
                         const CancelToken& cancel) const;

 private:
  bool take(const TransformJob& job, store::ObjectStore& input, const store::ObjectInfo& object,
            handler::InferenceHandler& handler, const CancelToken& cancel);
  void find_records(const CancelToken& cancel);
  std::string cut(size_t first, size_t count) const;
  Result<std::string> transform(const TransformJob& job, const std::string& bytes,
                                handler::InferenceHandler& handler,
                                const CancelToken& cancel) const;

  std::string object_;
  store::ObjectInfo info_;
  TransformJob job_;  // the job as if the bytes were stored plainly
  std::string bytes_;
  bool whole_ = false;  // bytes_ is all of the object
  uint64_t begin_ = 0;  // of the first record
  std::vector<uint64_t> ends_;
};

struct Rate {
  double records_per_s = 0;
  double bytes_per_s = 0;
};

// Measures for about `seconds`: more and more records, until they take so long or there are no
// more. REQUIRES: the head is not empty.
Result<Rate> measure_rate(const Head& head, handler::InferenceHandler& handler, double seconds,
                          const CancelToken& cancel);

}  // namespace millrace::transform
