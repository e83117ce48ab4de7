// What a job says of its failures: FailureReason for programs, lines in the data log for people.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "transform/transform_job.h"

namespace millrace::jobs {

// SageMaker's text for the kind of error ("ClientError: See job logs for more information"), then
// what went wrong; 1,024 bytes at most.
std::string failure_reason(const Error& error);
// That of the job's first failed object; the whole job's figures where several failed.
std::string failure_reason(const transform::JobReport& report);

// The data log's lines of an object that failed, as SageMaker writes them: "bucket/key: ..." each,
// a model's answer line by line.
std::string object_error_lines(const transform::ObjectReport& object);

}  // namespace millrace::jobs
