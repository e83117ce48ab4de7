// What clients ask and change. Running is in service_run.cc, taking up in service_start.cc.
#include "jobs/job_service.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "base/limits.h"
#include "handler/native_options.h"
#include "jobs/check_input.h"
#include "jobs/job_log.h"
#include "jobs/job_request.h"
#include "jobs/job_settings.h"
#include "jobs/local_job_service.h"

namespace millrace::jobs {
namespace {

int64_t now_ms() {
  return milliseconds(real_clock().now());
}

Error no_such_job(std::string_view name) {
  return not_found(fmt::format("Could not find requested job with name: {}", name));
}

}  // namespace

// --- in memory ---

Result<ModelPtr> LocalJobService::describe_model(std::string_view name) const {
  ModelPtr model;
  MR_TRY(find_model(name, &model));
  return model;
}

Status LocalJobService::find_model(std::string_view name, ModelPtr* model) const {
  const std::shared_lock lock(mutex_);
  const IndexedModel* found = models_.find(name);
  if (found == nullptr) {
    return fail(
        not_found(fmt::format("Could not find model \"{}\".", make_arn(options_, "model", name))));
  }
  *model = found->record;
  return {};
}

Result<Page<ModelPtr>> LocalJobService::list_models(const ListQuery& query) const {
  const std::shared_lock lock(mutex_);
  return jobs::list_models(models_, query);
}

Result<JobView> LocalJobService::describe_transform_job(std::string_view name) const {
  const std::shared_lock lock(mutex_);
  const IndexedJob* found = jobs_.find(name);
  if (found == nullptr) return fail(no_such_job(name));
  return JobView{found->record, found->progress};
}

Result<Page<JobPtr>> LocalJobService::list_transform_jobs(const ListQuery& query) const {
  const std::shared_lock lock(mutex_);
  return list_jobs(jobs_, query);
}

Result<std::vector<Tag>> LocalJobService::list_tags(std::string_view arn) const {
  const std::shared_lock lock(mutex_);
  if (!has_resource(arn)) return fail(not_found(fmt::format("There is no resource {}", arn)));
  return tags_of(arn);
}

// REQUIRES: mutex_ is held, as for the next one.
Tags LocalJobService::tags_of(std::string_view arn) const {
  const auto found = tags_.find(arn);
  return found == tags_.end() ? Tags() : found->second;
}

bool LocalJobService::has_resource(std::string_view arn) const {
  const size_t slash = arn.rfind('/');
  if (slash == arn.npos) return false;
  const std::string_view name = arn.substr(slash + 1);
  const IndexedModel* const model = models_.find(name);
  if (model != nullptr && model->record->arn == arn) return true;
  const IndexedJob* const job = jobs_.find(name);
  return job != nullptr && job->record->arn == arn;
}

ServiceCounters LocalJobService::counters() const {
  ServiceCounters out;
  {
    const std::lock_guard lock(counters_mutex_);
    out = counters_;
    out.jobs_running = static_cast<uint64_t>(running_);
  }
  const ModelCache::Counts models = models_loaded_.counts();
  out.model_loads = models.loads;
  out.model_hits = models.hits;
  out.models_loaded = models.models;
  out.model_bytes = models.bytes;
  out.events_sent = events_->counts().sent;
  out.events_lost = events_->counts().lost;
  out.jobs_queued = queue_.size();
  const std::shared_lock lock(mutex_);
  out.jobs_stored = jobs_.size();
  out.models_stored = models_.size();
  return out;
}

Status LocalJobService::ready() const {
  if (draining_.cancelled()) return fail(unavailable("the service is shutting down"));
  const std::lock_guard lock(counters_mutex_);
  if (!store_error_.empty()) return fail(unavailable(store_error_));
  return {};
}

// --- models ---

Result<ModelPtr> LocalJobService::create_model(std::string_view request) {
  if (draining_.cancelled()) return fail(unavailable("the service is shutting down"));
  MR_ASSIGN(const ModelRecord model, parse_model(request, options_));
  MR_TRY(check_model(model, options_));
  MR_ASSIGN(const Tags tags, parse_request_tags(request));
  StoredModel stored;
  stored.name = model.name;
  stored.request = request;
  stored.created_ms = now_ms();
  const std::lock_guard transition(transitions_);
  const Result<int64_t> id = store_->insert_model(stored, model.arn, tags);
  if (!id && id.error().code == Code::kAlreadyExists) {
    return fail(
        already_exists(fmt::format("Cannot create already existing model \"{}\".", model.arn)));
  }
  MR_TRY(told(id ? Status() : fail(id.error())));
  stored.id = *id;
  ModelPtr record = model_record(stored, options_);
  const std::unique_lock lock(mutex_);
  models_.insert({stored.id, record});
  if (!tags.empty()) tags_[record->arn] = tags;
  return record;
}

Status LocalJobService::delete_model(std::string_view name) {
  const std::lock_guard transition(transitions_);
  ModelPtr model;
  MR_TRY(find_model(name, &model));
  IndexedModel* entry = nullptr;
  {
    const std::shared_lock lock(mutex_);
    entry = models_.find(name);
  }
  MR_TRY(told(store_->delete_model(entry->id, model->arn)));
  const std::unique_lock lock(mutex_);
  tags_.erase(model->arn);
  models_.erase(entry);
  return {};
}

// --- jobs ---

Result<JobView> LocalJobService::create_transform_job(std::string_view request) {
  if (draining_.cancelled()) return fail(unavailable("the service is shutting down"));
  MR_ASSIGN(const TransformJobRecord job, parse_job(request, options_));
  MR_ASSIGN(const Tags tags, parse_request_tags(request));
  const Error taken = already_exists(fmt::format(
      "Transform job names must be unique within an AWS account and region, and a transform job "
      "with this name already exists ({})",
      job.arn));
  if (describe_transform_job(job.name)) return fail(taken);
  ModelPtr model;
  MR_TRY(find_model(job.model_name, &model));
  MR_TRY(check_job(job, *model));

  StoredJob stored;
  stored.name = job.name;
  stored.request = request;
  stored.model_request = model->request;
  stored.created_ms = stored.modified_ms = now_ms();
  const JobPtr record = job_record(stored, options_);
  const JobEvent event = event_of(*record, tags);
  const Result<int64_t> id = store_->insert_job(stored, job.arn, tags, event);
  if (!id && id.error().code == Code::kAlreadyExists) return fail(taken);
  MR_TRY(told(id ? Status() : fail(id.error())));
  stored.id = *id;

  IndexedJob indexed{std::move(stored), record, {}};
  indexed.stored.request = {};
  indexed.progress.queued = true;
  const JobView view{indexed.record, indexed.progress};
  const std::lock_guard transition(transitions_);
  IndexedJob* entry = nullptr;
  {
    const std::unique_lock lock(mutex_);
    if (!tags.empty()) tags_[job.arn] = tags;
    entry = jobs_.insert(std::move(indexed));
  }
  if (!event.id.empty()) events_->emit(event);
  activate(entry, CancelToken());
  forget_oldest();
  const std::lock_guard counting(counters_mutex_);
  ++counters_.jobs_created;
  return view;
}

Status LocalJobService::check_job(const TransformJobRecord& job, const ModelRecord& model) const {
  MR_ASSIGN(const SettingLayers layers, job_layers(job.request, model, options_));
  MR_ASSIGN(const Settings merged, merge_settings(layers));
  MR_ASSIGN(JobSettings settings, check_settings(merged, 1));
  settings.as_api = true;
  MR_TRY(handler::check_native_options(settings.native, settings.native_written));
  MR_TRY(check_request_format(settings));
  return check_input(settings, model.execution_role_arn, options_.region, draining_);
}

Result<IndexedJob*> LocalJobService::find_job(std::string_view name) const {
  const std::shared_lock lock(mutex_);
  IndexedJob* const found = jobs_.find(name);
  if (found == nullptr) return fail(no_such_job(name));
  return found;
}

Status LocalJobService::stop_transform_job(std::string_view name) {
  const std::lock_guard transition(transitions_);
  MR_ASSIGN(IndexedJob * entry, find_job(name));
  StoredJob changed = entry->stored;
  if (changed.status != JobStatus::kInProgress) {
    return fail(invalid_argument(fmt::format(
        "The request was rejected because the transform job is already stopped or not running: "
        "its status is {}.",
        job_status_name(changed.status))));
  }
  const bool waited = queue_.remove(changed.id);
  changed.status = waited ? JobStatus::kStopped : JobStatus::kStopping;
  if (waited) changed.ended_ms = now_ms();
  if (Status stored = change(entry, std::move(changed)); !stored) {
    if (waited) queue_.push(entry->stored.id);
    return stored;
  }
  const std::unique_lock lock(mutex_);
  const auto active = active_.find(entry->stored.id);
  if (active == active_.end()) return {};
  active->second.cancel.cancel();
  if (waited) active_.erase(active);
  return {};
}

Status LocalJobService::resume_transform_job(std::string_view name) {
  if (draining_.cancelled()) return fail(unavailable("the service is shutting down"));
  const std::lock_guard transition(transitions_);
  MR_ASSIGN(IndexedJob * entry, find_job(name));
  StoredJob changed = entry->stored;
  if (changed.status != JobStatus::kFailed && changed.status != JobStatus::kStopped) {
    return fail(
        invalid_argument(fmt::format("only a Failed or Stopped job is resumed; this one is {}",
                                     job_status_name(changed.status))));
  }
  MR_ASSIGN(changed.model_request, store_->model_request_of(changed.id));
  changed.status = JobStatus::kInProgress;
  changed.failure_reason.clear();
  changed.started_ms = changed.ended_ms = 0;
  changed.progress = JobProgress();
  MR_TRY(change(entry, std::move(changed)));
  activate(entry, CancelToken());
  return {};
}

Status LocalJobService::delete_transform_job(std::string_view name) {
  const std::lock_guard transition(transitions_);
  MR_ASSIGN(IndexedJob * entry, find_job(name));
  if (!is_terminal(entry->stored.status)) {
    return fail(invalid_argument(fmt::format("only a job that has ended is deleted; this one is {}",
                                             job_status_name(entry->stored.status))));
  }
  return erase(entry);
}

Result<Page<ObjectState>> LocalJobService::list_objects(std::string_view name,
                                                        const ObjectQuery& query) const {
  const auto job = stored_job(name);
  if (!job) return fail(no_such_job(name));
  return read_objects(log_folder_of(options_, job->first), query);
}

// --- tags ---

Status LocalJobService::put_tags(std::string_view arn, const Tags& tags) {
  MR_TRY(told(store_->put_tags(arn, tags)));
  const std::unique_lock lock(mutex_);
  tags_[std::string(arn)] = tags;
  return {};
}

Result<std::vector<Tag>> LocalJobService::add_tags(std::string_view arn,
                                                   const std::vector<Tag>& tags) {
  const std::lock_guard transition(transitions_);
  MR_ASSIGN(Tags merged, list_tags(arn));
  for (const Tag& tag : tags) {
    const auto same = std::find_if(merged.begin(), merged.end(),
                                   [&](const Tag& other) { return other.key == tag.key; });
    if (same == merged.end()) {
      merged.push_back(tag);
    } else {
      same->value = tag.value;
    }
  }
  if (merged.size() > limits::kTagsMax) {
    return fail(invalid_argument(fmt::format("a resource has at most {} tags; these would be {}",
                                             limits::kTagsMax, merged.size())));
  }
  MR_TRY(put_tags(arn, merged));
  return merged;
}

Status LocalJobService::delete_tags(std::string_view arn, const std::vector<std::string>& keys) {
  const std::lock_guard transition(transitions_);
  MR_ASSIGN(Tags left, list_tags(arn));
  std::erase_if(left, [&](const Tag& tag) {
    return std::find(keys.begin(), keys.end(), tag.key) != keys.end();
  });
  return put_tags(arn, left);
}

// --- logs ---

std::vector<LogStream> LocalJobService::log_streams(std::string_view prefix, std::string_view after,
                                                    size_t streams_max) const {
  std::vector<LogStream> streams;
  const auto add = [&](int64_t id, const std::string& job) {
    for (LogStream& stream : job_log_streams(log_folder_of(options_, id), job)) {
      // Jobs come in the order of their names; only `after`'s own has streams behind and before it.
      const bool is_before = after.starts_with(job + "/") && stream.name <= after;
      const bool wanted = stream.name.starts_with(prefix) && !is_before;
      if (!wanted || streams.size() == streams_max) continue;
      stream.arn = fmt::format("arn:aws:logs:{}:{}:log-group:{}:log-stream:{}", options_.region,
                               options_.account, kTransformJobsLogGroup, stream.name);
      streams.push_back(std::move(stream));
    }
  };
  // Streams begin with their job's name. What clients ask for has all of it.
  const size_t slash = prefix.find('/');
  if (slash != prefix.npos) {
    if (const auto job = stored_job(prefix.substr(0, slash))) add(job->first, job->second);
    return streams;
  }
  std::string from = name_key(std::max(prefix, after.substr(0, after.find('/'))));
  while (streams.size() < streams_max) {
    const auto next = job_from(from);
    if (!next || !name_key(next->second).starts_with(name_key(prefix))) break;
    add(next->first, next->second);
    from = name_key(next->second) + '\0';
  }
  return streams;
}

std::optional<std::pair<int64_t, std::string>> LocalJobService::stored_job(
    std::string_view name) const {
  const std::shared_lock lock(mutex_);
  const IndexedJob* const found = jobs_.find(name);
  if (found == nullptr) return std::nullopt;
  return std::pair{found->stored.id, found->record->name};
}

std::optional<std::pair<int64_t, std::string>> LocalJobService::job_from(
    const std::string& key) const {
  const std::shared_lock lock(mutex_);
  const auto& order = jobs_.order(SortBy::kName);
  const auto next = order.lower_bound(SortKey{0, 0, key, 0});
  if (next == order.end()) return std::nullopt;
  const IndexedJob& job = *next->second.entry();
  return std::pair{job.stored.id, job.record->name};
}

Result<LogPage> LocalJobService::read_log(std::string_view stream, const LogQuery& query) const {
  const size_t slash = stream.find('/');
  const Error missing = not_found("The specified log stream does not exist.");
  if (slash == stream.npos) return fail(missing);
  const auto job = stored_job(stream.substr(0, slash));
  if (!job || job->second != stream.substr(0, slash)) return fail(missing);
  const auto file = stream_file(log_folder_of(options_, job->first), stream.substr(slash + 1));
  if (file.empty()) return fail(missing);
  Result<LogPage> page = read_log_file(file, query);
  if (!page && page.error().code == Code::kNotFound) return fail(missing);
  return page;
}

}  // namespace millrace::jobs
