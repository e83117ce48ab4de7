// DataCaptureConfig: lists of what a job read and wrote, as manifests that another job can take for
// its input.
#pragma once

#include "base/cancel.h"
#include "base/result.h"
#include "jobs/job_settings.h"
#include "jobs/locations.h"
#include "transform/transform_job.h"

namespace millrace::jobs {

// Writes `<destination>/input/YYYY/MM/DD/HH/<job>.json` and the same below `output/` (the hour in
// which the job was started, in UTC): [{"prefix":"s3://bucket/in/"},"a.csv",...], of the objects
// whose outputs are there. Nothing is written where no destination is set, no output was written,
// or the job was stopped. Earlier lists of the job are replaced.
Status write_data_capture(const JobSettings& settings, const CancelToken& cancel,
                          const InputLocation& input, const OutputLocation& output,
                          const transform::TransformJob& job, const transform::JobReport& report);

}  // namespace millrace::jobs
