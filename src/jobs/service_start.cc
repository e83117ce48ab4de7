// Opening a service: what the store holds is taken up, what nobody needs any more removed, and the
// jobs that had not ended go on.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>
#include <system_error>
#include <utility>

#include "jobs/job_request.h"
#include "jobs/local_job_service.h"

namespace millrace::jobs {
namespace {

namespace fs = std::filesystem;

// The job's id that a folder is named by; 0: none.
int64_t job_of_folder(const fs::path& folder) {
  const std::string name = folder.filename().string();
  int64_t id = 0;
  const auto [end, code] = std::from_chars(name.data(), name.data() + name.size(), id);
  return code == std::errc() && end == name.data() + name.size() ? id : 0;
}

// Removes the folders of jobs that are not among `wanted`.
void keep_only(const fs::path& parent, const std::set<int64_t>& wanted) {
  std::error_code ignored;
  std::vector<fs::path> gone;
  for (const auto& entry : fs::directory_iterator(parent, ignored)) {
    const int64_t id = job_of_folder(entry.path());
    if (id > 0 && !wanted.contains(id)) gone.push_back(entry.path());
  }
  for (const fs::path& folder : gone) fs::remove_all(folder, ignored);
}

ServiceOptions with_defaults(ServiceOptions options) {
  options.folder = fs::absolute(options.folder);
  options.running_max = std::max(1, options.running_max);
  const int cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  options.machine.emplace("THREADS", std::to_string(std::max(1, cores / options.running_max)));
  return options;
}

}  // namespace

Result<std::unique_ptr<JobService>> open_job_service(ServiceOptions options) {
  options = with_defaults(std::move(options));
  std::error_code error;
  fs::create_directories(options.folder, error);
  if (error) return fail(errno_error("make " + options.folder.string(), error.value()));
  fs::permissions(options.folder, fs::perms::owner_all, error);
  JobStore::Contents contents;
  MR_ASSIGN(auto store, JobStore::open(options.folder / "jobs.sqlite", &contents));
  MR_ASSIGN(auto events, EventSink::open(options.event_file, options.event_url));
  auto service =
      std::make_unique<LocalJobService>(std::move(options), std::move(store), std::move(events));
  service->start(std::move(contents));
  return service;
}

LocalJobService::LocalJobService(ServiceOptions options, std::unique_ptr<JobStore> store,
                                 std::unique_ptr<EventSink> events)
    : options_(std::move(options)),
      store_(std::move(store)),
      events_(std::move(events)),
      models_loaded_(options_.model_bytes_max) {
  events_->when_done([this](const std::string& id) { store_->forget_event(id); });
}

LocalJobService::~LocalJobService() {
  drain();
}

void LocalJobService::start(JobStore::Contents contents) {
  for (const StoredModel& model : contents.models) {
    models_.insert({model.id, model_record(model, options_)});
  }
  for (auto& [arn, tags] : contents.tags) tags_[arn] = std::move(tags);
  // Told again what may not have been: the process ended between storing it and its delivery.
  for (const JobEvent& event : contents.events) events_->emit(event);
  for (StoredJob& job : contents.jobs) take_up_job(std::move(job));
  remove_leftovers();
  for (int i = 0; i < options_.running_max; ++i) threads_.emplace_back([this] { work(); });
}

void LocalJobService::take_up_job(StoredJob stored) {
  IndexedJob indexed;
  indexed.progress = stored.progress;
  indexed.record = job_record(stored, options_);
  indexed.stored = std::move(stored);
  indexed.stored.request = {};
  IndexedJob* const entry = jobs_.insert(std::move(indexed));
  if (is_terminal(entry->stored.status)) return;
  // One that was being stopped only needs to tidy up what the end of the process left.
  CancelToken cancel;
  if (entry->stored.status == JobStatus::kStopping) cancel.cancel();
  activate(entry, cancel);
}

void LocalJobService::activate(IndexedJob* entry, CancelToken cancel) {
  {
    const std::unique_lock lock(mutex_);
    entry->progress.queued = true;
    active_[entry->stored.id] = {entry, std::move(cancel)};
  }
  queue_.push(entry->stored.id);
}

// A kill between the end of a job in the store and that of its folders leaves these.
void LocalJobService::remove_leftovers() const {
  std::set<int64_t> logs, work;
  for (const auto& [key, row] : jobs_.order(SortBy::kCreationTime)) {
    const StoredJob& job = row.entry()->stored;
    logs.insert(job.id);
    if (job.status != JobStatus::kCompleted) work.insert(job.id);
  }
  keep_only(options_.folder / "work", work);
  keep_only(options_.folder / "logs", logs);
}

void LocalJobService::drain() {
  draining_.cancel();
  queue_.close();
  {
    const std::shared_lock lock(mutex_);
    for (const auto& [job, active] : active_) active.cancel.cancel();
  }
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

}  // namespace millrace::jobs
