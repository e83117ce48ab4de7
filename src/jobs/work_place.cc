// Below the place each job has "jobs/NAME".
#include "jobs/work_place.h"

#include <fmt/format.h>

#include <filesystem>
#include <utility>

#include "jobs/user_folders.h"

namespace millrace::jobs {

namespace fs = std::filesystem;
using Kind = store::Location::Kind;

namespace {

// Neither our own folders below the output, nor what we keep among the inputs of the next run.
Status check_outside(const char* flag, const fs::path& folder, const char* what,
                     const store::Location& root) {
  if (root.kind != Kind::kFile) return {};
  const fs::path normal = fs::path(root.path).lexically_normal();
  const fs::path inside = fs::absolute(folder).lexically_normal().lexically_relative(normal);
  if (inside.empty() || *inside.begin() == "..") return {};
  return fail(invalid_argument(
      fmt::format("{}: {} lies below the {} {}", flag, folder.string(), what, normal.string())));
}

Status check_prefix(const store::Location& work, const char* what, const store::Location& root,
                    const std::string& prefix) {
  if (root.kind != Kind::kS3 || root.bucket != work.bucket) return {};
  if (!work.path.starts_with(prefix)) return {};
  return fail(invalid_argument(fmt::format("--work-dir: s3://{}/{} lies below the {} s3://{}/{}",
                                           work.bucket, work.path, what, root.bucket, prefix)));
}

Status check_work(const JobSettings& settings, const store::Location& work,
                  const InputLocation& input, const OutputLocation& output) {
  if (work.kind == Kind::kFile) {
    return output.is_object ? Status()
                            : check_outside("--work-dir", work.path, "output", output.root);
  }
  if (!output.is_object) MR_TRY(check_prefix(work, "output", output.root, output.prefix));
  if (input.is_object || settings.is_manifest) return {};
  return check_prefix(work, "input", input.root, input.prefix);
}

}  // namespace

Result<store::Location> work_location(const std::string& work_dir, const Variables& environment) {
  store::Location work;
  if (work_dir.empty()) {
    MR_ASSIGN(const fs::path folder, state_folder(environment));
    work.path = folder.string();
    return work;
  }
  if (!work_dir.starts_with("s3://")) {
    work.path = fs::absolute(work_dir).string();
    return work;
  }
  MR_ASSIGN(work, store::parse_location(work_dir));
  if (!work.path.empty() && !work.path.ends_with('/')) work.path += '/';
  return work;
}

Status check_apart_from_work(const JobSettings& settings, const store::Location& work,
                             const InputLocation& input, const OutputLocation& output) {
  MR_TRY(check_work(settings, work, input, output));
  if (settings.result_cache.empty()) return {};
  const fs::path cache = settings.result_cache;
  if (!output.is_object) MR_TRY(check_outside("--result-cache", cache, "output", output.root));
  if (!input.is_object) MR_TRY(check_outside("--result-cache", cache, "input", input.root));
  return {};
}

Result<std::unique_ptr<transform::WorkStorage>> open_work_storage(const store::Location& work,
                                                                  const std::string& job_name,
                                                                  const JobSettings& settings,
                                                                  const Notice& notice,
                                                                  const CancelToken& cancel) {
  if (work.kind == Kind::kFile) {
    return transform::make_folder_storage(fs::path(work.path) / "jobs" / job_name);
  }
  transform::StorePlace place;
  MR_ASSIGN(place.store, make_store(work, settings, CancelToken()));
  place.prefix = work.path + "jobs/" + job_name + "/";
  place.notice = notice;
  place.cancel = cancel;
  return transform::make_store_storage(std::move(place));
}

}  // namespace millrace::jobs
