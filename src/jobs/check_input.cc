// The listing stops at its first object.
#include "jobs/check_input.h"

#include <fmt/format.h>

#include "jobs/backends.h"
#include "jobs/locations.h"

namespace millrace::jobs {
namespace {

Error nothing_found(const JobSettings& settings, const std::string& bucket, const std::string& role,
                    const std::string& region, const std::string& why) {
  return invalid_argument(fmt::format(
      "No S3 objects found under S3 URL \"{}\" given in input data source. Please ensure that the "
      "bucket exists in the selected region ({}), that objects exist under that S3 prefix, and "
      "that the role \"{}\" has \"s3:ListBucket\" permissions on bucket \"{}\".{}{}",
      settings.input, region, role, bucket, why.empty() ? "" : " ", why));
}

}  // namespace

Status check_input(const JobSettings& settings, const std::string& role, const std::string& region,
                   const CancelToken& cancel) {
  if (settings.is_manifest || settings.allow_empty) return {};
  MR_ASSIGN(const InputLocation location, input_location(settings.input));
  MR_ASSIGN(const auto store, make_store(location.root, settings, cancel));
  if (location.is_object) return {};  // a local file: input_location has looked
  bool found = false;
  const Status listed = store->list(location.prefix, [&](const store::ObjectInfo&) -> Status {
    found = true;
    return fail(cancelled("one is enough"));
  });
  if (found) return {};
  const std::string& bucket = location.root.bucket;
  if (listed) return fail(nothing_found(settings, bucket, role, region, ""));
  if (listed.error().code == Code::kUnavailable) return listed;
  return fail(nothing_found(settings, bucket, role, region, listed.error().message));
}

}  // namespace millrace::jobs
