// DataCaptureConfig's GenerateInferenceId: each result gets an id and the job's start, so that what
// is learnt later can be put together with it. SageMaker draws the ids; here they follow from the
// job, its start, the object and the record's number, so that a part that is done again is the
// same.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "record/format.h"
#include "record/join.h"

namespace millrace::record {

constexpr char kInferenceIdName[] = "SageMakerInferenceId";
constexpr char kInferenceTimeName[] = "SageMakerInferenceTime";

// "0190a1b2-...": a UUID of version 8 (RFC 9562: of one's own making).
std::string inference_id(std::string_view job, std::string_view time, std::string_view object,
                         uint64_t record);

// Owned by one thread.
class InferenceTagger {
 public:
  // `time`: the job's start, "2022-08-30T00:49:15Z".
  InferenceTagger(std::string job, std::string time, std::string object, MediaType media,
                  char csv_delimiter);

  // Appends `result` with its id and the time. CSV: as two last columns. JSON: as members, sorted
  // among the others, in place of any of these names; a result that is no object becomes
  // SageMakerOutput beside them. bad_input where a result is not JSON.
  Status append(uint64_t record, std::string_view result, std::string* out);

 private:
  void append_members(const std::string& id, std::string_view document, std::string* out);

  const std::string job_, time_, object_;
  const MediaType media_;
  const char csv_delimiter_;
  JsonJoiner joiner_;
  std::string document_;
};

}  // namespace millrace::record
