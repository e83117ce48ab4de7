// What a job keeps of an earlier run of its own, and what it begins anew.
#include "transform/work_area.h"

#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/xxh3.h"
#include "transform/file_io.h"

namespace millrace::transform {
namespace {

// The plan's head: the job's name and settings, and when it began.
constexpr size_t kPlanHeadBytes = 64 * 1024;

// The line after the first, without its end, of a plan that begins with `first_line`; "": none.
std::string second_line_of(const std::string& plan, const std::string& first_line) {
  if (!plan.starts_with(first_line)) return "";
  const size_t end = plan.find('\n', first_line.size());
  if (end == plan.npos) return "";
  return plan.substr(first_line.size(), end - first_line.size());
}

// What still holds when a job goes on under `digest`; what was made under other settings does not.
JournalState kept_under(const JournalState& earlier, const std::string& digest) {
  JournalState kept;
  for (const auto& [key, output] : earlier.committed) {
    if (output.run_digest == digest) kept.committed.emplace(key, output);
  }
  for (const auto& [key, under] : earlier.committing) {
    if (under == digest) kept.committing.emplace(key, under);
  }
  kept.open_uploads = earlier.open_uploads;
  return kept;
}

}  // namespace

std::string run_digest(const TransformJob& job) {
  if (job.places.empty()) return job.settings_digest;
  return Xxh3().field(job.settings_digest).field(job.places).hex();
}

Result<std::unique_ptr<WorkArea>> WorkArea::open(std::unique_ptr<WorkStorage> storage) {
  MR_TRY(storage->lock());
  std::unique_ptr<WorkArea> area(new WorkArea(std::move(storage)));
  MR_ASSIGN(const bool has_journal, area->storage_->has_journal());
  area->is_new_ = !has_journal;
  MR_ASSIGN(area->earlier_, read_journal(*area->storage_));
  return area;
}

Result<std::unique_ptr<WorkArea>> WorkArea::open(const std::filesystem::path& folder) {
  return open(make_folder_storage(folder));
}

Status WorkArea::clean_up(store::ObjectStore& output) {
  for (const auto& [key, upload_id] : earlier_.open_uploads) {
    if (Status status = output.abort_upload(key, upload_id); !status) {
      return fail(std::move(status).error().within("abort the upload of " + output.describe(key) +
                                                   " that an earlier run left"));
    }
  }
  earlier_.open_uploads.clear();
  return {};
}

Status WorkArea::begin(const TransformJob& job, const store::ObjectStore& input,
                       const store::ObjectStore& output) {
  const std::string digest = run_digest(job);
  const std::string first_line = format_line({"job", job.name, digest});
  MR_ASSIGN(const auto head, storage_->read("plan", kPlanHeadBytes));
  const std::string second_line = second_line_of(head.value_or(""), first_line);
  MR_TRY(storage_->open_parts(/*drop=*/second_line.empty()));
  const auto earlier_start = parse_line(second_line);
  const bool known = earlier_start.size() == 2 && earlier_start[0] == "started";
  started_ = known ? earlier_start[1] : format_iso8601(real_clock().now());

  std::string plan = first_line + format_line({"started", started_});
  plan += format_line({"outputs", output.describe("")});
  for (const PlannedObject& object : job.objects) {
    plan +=
        format_line({"object", input.describe(object.input.key), std::to_string(object.input.size),
                     object.input.etag, output.describe(object.output_key)});
  }
  MR_TRY(storage_->replace("plan", plan));

  earlier_ = kept_under(earlier_, digest);
  MR_ASSIGN(journal_, Journal::create(*storage_, earlier_));
  return {};
}

Status WorkArea::remove() {
  return storage_->remove_all();
}

}  // namespace millrace::transform
