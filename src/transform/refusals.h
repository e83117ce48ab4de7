// Refusals: what becomes of records that cannot be answered. By the rules of the job they fail
// their object, or cost only themselves: then each has a line in the errors file, and an object may
// have only so many.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "store/object_store.h"
#include "transform/part.h"
#include "transform/transform_job.h"

namespace millrace::transform {

// How many records of one object were refused, over all its parts. Thread-safe.
class Refusals {
 public:
  explicit Refusals(const RecordErrorRules& rules) : rules_(rules) {}

  // Notes what a part refused. Fails when the object has more than it may have; error() then says
  // so in words that do not depend on which part was the last to add.
  Status add(uint32_t part, const RefusedRecords& refused);

  // At the object's end, with all its records known.
  Status judge(uint64_t records) const;

  // The part whose refusal was too much, the lowest of them.
  std::optional<uint32_t> exceeded_part() const;
  // REQUIRES: add() has failed.
  Error error() const;
  uint64_t count() const;

 private:
  Error too_many(const std::string& allowed) const;

  const RecordErrorRules rules_;
  mutable std::mutex mutex_;
  RefusedRecords all_;
  std::optional<uint32_t> exceeded_part_;
};

// An object's errors file, or a part's share of it: made when the first line comes.
class ErrorsFile final : public store::ObjectWriter {
 public:
  using Create = std::function<Result<std::unique_ptr<store::ObjectWriter>>()>;
  explicit ErrorsFile(Create create) : create_(std::move(create)) {}

  Status append(std::string_view lines) override;
  // Nothing to do where nothing was appended.
  Status commit() override;
  uint64_t bytes() const { return bytes_; }

 private:
  const Create create_;
  std::unique_ptr<store::ObjectWriter> writer_;
  uint64_t bytes_ = 0;
};

// The key of the errors file that belongs to an output.
std::string errors_key(std::string_view output_key);

// A record that was refused, as the errors file tells of it.
struct RefusedRecord {
  std::string_view object;
  uint64_t record = 0;             // counted from 0
  std::optional<uint64_t> offset;  // its first byte in the object; a row of Parquet has none
  std::string_view cause;
  std::optional<std::string_view> content;  // a row's text may be null
};

// A line of the errors file: the object, the record's number (from 1) and its byte offset, the
// cause, and the record itself (in base64 where it is no UTF-8, cut where it is very long).
std::string error_line(const RefusedRecord& refused);

// The number (from 0) of the record that such a line is about. REQUIRES: `object` is the line's.
std::optional<uint64_t> record_in_error_line(std::string_view line, std::string_view object);

}  // namespace millrace::transform
