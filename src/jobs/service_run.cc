// Jobs that run: from the queue to their end, and what changes a job's status.
#include <fmt/format.h>

#include <system_error>
#include <utility>

#include "base/clock.h"
#include "base/limits.h"
#include "jobs/job_log.h"
#include "jobs/job_request.h"
#include "jobs/local_job_service.h"

namespace millrace::jobs {
namespace {

namespace fs = std::filesystem;

int64_t now_ms() {
  return milliseconds(real_clock().now());
}

void remove_folder(const fs::path& folder) {
  std::error_code ignored;  // what stays is removed when the service is opened the next time
  fs::remove_all(folder, ignored);
}

}  // namespace

void LocalJobService::work() {
  while (const std::optional<int64_t> job = queue_.pop()) run(*job);
}

void LocalJobService::run(int64_t job) {
  CancelToken cancel;
  const std::optional<StoredJob> stored = begin(job, &cancel);
  if (!stored) return;
  Result<std::unique_ptr<JobLog>> log =
      JobLog::open(log_folder_of(options_, job), real_clock().now());
  if (!log) {
    JobEnd unlogged;
    unlogged.failure_reason =
        "InternalServerError: We encountered an internal error. Please try again. " +
        log.error().message;
    end(job, unlogged);
    return;
  }
  const JobContext context{options_, models_loaded_, **log,
                           [&](const JobProgress& now) { show_progress(job, now); }, cancel};
  const JobEnd how = run_job(*stored, context);
  (*log)->sync();  // before anybody can see that the job has ended
  end(job, how);
}

std::optional<StoredJob> LocalJobService::begin(int64_t job, CancelToken* cancel) {
  const std::lock_guard transition(transitions_);
  const std::unique_lock lock(mutex_);
  const auto active = active_.find(job);
  if (active == active_.end()) return std::nullopt;
  IndexedJob* const entry = active->second.entry;
  *cancel = active->second.cancel;
  jobs_.update(entry, [&](IndexedJob& indexed) {
    if (indexed.stored.started_ms == 0) indexed.stored.started_ms = now_ms();
    indexed.progress.queued = false;
    indexed.record = job_record(indexed.stored, *indexed.record);
  });
  // Should this be lost, the next start is the one that counts.
  store_->note_job(entry->stored);
  const std::lock_guard counting(counters_mutex_);
  ++running_;
  StoredJob whole = entry->stored;
  whole.request = entry->record->request;
  return whole;
}

void LocalJobService::show_progress(int64_t job, const JobProgress& progress) {
  const std::unique_lock lock(mutex_);
  const auto active = active_.find(job);
  if (active != active_.end()) active->second.entry->progress = progress;
}

// While the store cannot be written the job has not ended for anybody; its work area still has
// all that it did.
void LocalJobService::end(int64_t job, const JobEnd& how) {
  while (!try_end(job, how) && !draining_.cancelled()) {
    (void)real_clock().sleep(std::chrono::milliseconds(limits::kStoreRetryMs), draining_);
  }
  const std::lock_guard counting(counters_mutex_);
  --running_;
}

bool LocalJobService::try_end(int64_t job, const JobEnd& how) {
  const std::lock_guard transition(transitions_);
  IndexedJob* entry = nullptr;
  {
    const std::shared_lock lock(mutex_);
    entry = active_.at(job).entry;
  }
  StoredJob changed = entry->stored;
  const bool was_stopped = changed.status == JobStatus::kStopping;
  if (how.status == JobStatus::kStopped && !was_stopped) return true;  // it goes on another time
  changed.status = was_stopped ? JobStatus::kStopped : how.status;
  if (!was_stopped) changed.failure_reason = how.failure_reason;
  changed.ended_ms = now_ms();
  changed.progress = how.progress;
  if (!change(entry, std::move(changed))) return false;
  if (entry->stored.status == JobStatus::kCompleted) remove_folder(work_folder_of(options_, job));
  {
    const std::unique_lock lock(mutex_);
    active_.erase(job);
  }
  const std::lock_guard counting(counters_mutex_);
  counters_.records += how.progress.records_done;
  counters_.record_errors += how.progress.records_failed;
  counters_.objects += how.progress.objects_done;
  counters_.object_errors += how.progress.objects_failed;
  return true;
}

Status LocalJobService::change(IndexedJob* entry, StoredJob changed) {
  changed.modified_ms = now_ms();
  JobPtr record = job_record(changed, *entry->record);
  Tags tags;
  {
    const std::shared_lock lock(mutex_);
    tags = tags_of(record->arn);
  }
  const JobEvent event = event_of(*record, tags);
  MR_TRY(told(store_->update_job(changed, event)));
  {
    const std::unique_lock lock(mutex_);
    jobs_.update(entry, [&](IndexedJob& indexed) {
      indexed.progress = changed.progress;
      indexed.stored = std::move(changed);
      if (is_terminal(indexed.stored.status)) indexed.stored.model_request = {};
      indexed.record = record;
    });
  }
  if (!event.id.empty()) events_->emit(event);
  count_end(record->status);
  return {};
}

void LocalJobService::count_end(JobStatus status) {
  const std::lock_guard counting(counters_mutex_);
  if (status == JobStatus::kCompleted) ++counters_.jobs_completed;
  if (status == JobStatus::kFailed) ++counters_.jobs_failed;
  if (status == JobStatus::kStopped) ++counters_.jobs_stopped;
}

Status LocalJobService::erase(IndexedJob* entry) {
  const int64_t id = entry->stored.id;
  const std::string arn = entry->record->arn;
  MR_TRY(told(store_->delete_job(id, arn)));
  {
    const std::unique_lock lock(mutex_);
    tags_.erase(arn);
    jobs_.erase(entry);
  }
  remove_folder(work_folder_of(options_, id));
  remove_folder(log_folder_of(options_, id));
  return {};
}

void LocalJobService::forget_oldest() {
  IndexedJob* oldest = nullptr;
  {
    const std::shared_lock lock(mutex_);
    if (jobs_.size() <= options_.jobs_kept) return;
    for (const auto& [key, row] : jobs_.order(SortBy::kCreationTime)) {
      if (!is_terminal(row.entry()->stored.status)) continue;
      oldest = row.entry();
      break;
    }
  }
  if (oldest != nullptr) (void)erase(oldest);  // where the store fails, the next job tries again
}

// What the operator and /readyz learn from a write to the store.
Status LocalJobService::told(Status status) {
  const bool broken = !status && status.error().code != Code::kAlreadyExists;
  bool is_news = false;
  {
    const std::lock_guard lock(counters_mutex_);
    is_news = broken && store_error_.empty();
    if (broken) ++counters_.store_errors;
    store_error_ = broken ? status.error().message : "";
  }
  if (is_news && options_.log) options_.log(status.error().message);
  return status;
}

JobEvent LocalJobService::event_of(const TransformJobRecord& job, const Tags& tags) const {
  return events_->is_wanted() ? job_event(job, tags, options_) : JobEvent();
}

}  // namespace millrace::jobs
