// An area is only touched while its lock is ours.
#include "jobs/clean_work.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "transform/file_io.h"
#include "transform/work_area.h"

namespace millrace::jobs {
namespace {

namespace fs = std::filesystem;
using State = WorkAreaLeft::State;

constexpr size_t kPlanHeadBytes = 64 * 1024;

WallTime to_wall_time(fs::file_time_type time) {
  const auto age = fs::file_time_type::clock::now() - time;
  return real_clock().now() - std::chrono::duration_cast<WallTime::duration>(age);
}

// Of all files of an area, when the youngest was written and how large they are together. The lock
// does not count: looking at an area touches it.
void measure(const fs::path& folder, WorkAreaLeft* area) {
  std::error_code code;
  area->last_written = to_wall_time(fs::last_write_time(folder, code));
  auto entry = fs::recursive_directory_iterator(folder, code);
  for (; !code && entry != fs::recursive_directory_iterator(); entry.increment(code)) {
    std::error_code gone;
    if (!entry->is_regular_file(gone) || entry->path().filename() == "lock") continue;
    const auto size = entry->file_size(gone);
    const auto time = entry->last_write_time(gone);
    if (gone) continue;
    area->bytes += size;
    area->last_written = std::max(area->last_written, to_wall_time(time));
  }
}

// The plan's line about where outputs lie.
std::string outputs_in(const std::string& plan) {
  for (size_t start = 0; start < plan.size();) {
    const size_t end = plan.find('\n', start);
    if (end == plan.npos) break;
    const auto fields = transform::parse_line(plan.substr(start, end - start));
    if (fields.size() == 2 && fields[0] == "outputs") return fields[1];
    if (!fields.empty() && fields[0] == "object") break;
    start = end + 1;
  }
  return "";
}

Status abort_uploads(const CleanOptions& options, const WorkAreaLeft& left,
                     transform::WorkArea& area) {
  if (area.earlier().open_uploads.empty()) return {};
  if (left.outputs.empty()) return fail(corruption("its plan does not say where outputs lie"));
  MR_ASSIGN(const store::Location root, store::parse_location(left.outputs));
  MR_ASSIGN(const auto store, options.make_store(root));
  return area.clean_up(*store);
}

Status clean_one(const CleanOptions& options, const fs::path& folder, WorkAreaLeft* left) {
  measure(folder, left);
  const auto storage = transform::make_folder_storage(folder);
  MR_ASSIGN(const std::optional<std::string> plan, storage->read("plan", kPlanHeadBytes));
  left->outputs = outputs_in(plan.value_or(""));
  Result<std::unique_ptr<transform::WorkArea>> area = transform::WorkArea::open(folder);
  if (!area && area.error().code == Code::kAlreadyExists) {
    left->state = State::kRunning;
    return {};
  }
  if (!area) return fail(std::move(area).error());
  const bool young = real_clock().now() - left->last_written < options.older_than;
  left->state = young ? State::kYoung : State::kRemoved;
  if (young || options.dry_run) return {};
  MR_TRY(abort_uploads(options, *left, **area));
  return (*area)->remove();
}

}  // namespace

Status clean_work(const CleanOptions& options,
                  const std::function<void(const WorkAreaLeft&)>& visit) {
  const fs::path jobs = options.work_dir / "jobs";
  std::error_code code;
  if (!fs::exists(jobs, code) && !code) return {};
  std::vector<fs::path> folders;
  auto entry = fs::directory_iterator(jobs, code);
  for (; !code && entry != fs::directory_iterator(); entry.increment(code)) {
    std::error_code gone;
    if (entry->is_directory(gone) && !entry->is_symlink(gone)) folders.push_back(entry->path());
  }
  if (code) return fail(errno_error("list work areas in " + jobs.string(), code.value()));
  std::sort(folders.begin(), folders.end());
  for (const fs::path& folder : folders) {
    WorkAreaLeft left;
    left.job_name = folder.filename().string();
    if (Status cleaned = clean_one(options, folder, &left); !cleaned) {
      left.state = State::kFailed;
      left.problem = std::move(cleaned).error().message;
    }
    visit(left);
  }
  return {};
}

}  // namespace millrace::jobs
