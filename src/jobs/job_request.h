// Requests of the API as the job service reads them: what is kept of a model and a job, and the
// settings that both make.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "jobs/job_options.h"
#include "jobs/job_service.h"
#include "jobs/job_store.h"

namespace millrace::jobs {

// arn:aws:sagemaker:REGION:ACCOUNT:KIND/name-in-lower-case
std::string make_arn(const ServiceOptions& options, std::string_view kind, std::string_view name);

// CreateModel's or CreateTransformJob's Tags.
Result<Tags> parse_request_tags(std::string_view request);

// The parts of CreateModel that matter here. invalid_argument: it is no such request.
Result<ModelRecord> parse_model(std::string_view request, const ServiceOptions& options);
// That this service can run it: one container, or those of a serial pipeline; images that a handler
// fits, artefacts that may be read, settings that there are.
Status check_model(const ModelRecord& model, const ServiceOptions& options);

// Likewise of CreateTransformJob: name, ARN, model, output.
Result<TransformJobRecord> parse_job(std::string_view request, const ServiceOptions& options);

// The job's settings, in layers: this machine's, the job's Environment, the request's members, the
// model's Environment, and last the API's own defaults. invalid_argument names what is wrong.
Result<SettingLayers> job_layers(std::string_view request, const ModelRecord& model,
                                 const ServiceOptions& options);

// What clients see of a stored model and job.
ModelPtr model_record(const StoredModel& stored, const ServiceOptions& options);
JobPtr job_record(const StoredJob& stored, const ServiceOptions& options);
// The same job in another state: all else is `before`'s.
JobPtr job_record(const StoredJob& stored, TransformJobRecord before);

}  // namespace millrace::jobs
