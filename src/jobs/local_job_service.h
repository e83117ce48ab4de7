// The job service on this machine: a store, an index in memory, and threads that run jobs.
//
// A job's status only changes under `transitions_`, and only after the store has it; what clients
// see is never ahead of what a restart would find.
#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/cancel.h"
#include "jobs/job_events.h"
#include "jobs/job_index.h"
#include "jobs/job_queue.h"
#include "jobs/job_service.h"
#include "jobs/job_store.h"
#include "jobs/model_cache.h"
#include "jobs/run_job.h"

namespace millrace::jobs {

class LocalJobService final : public JobService {
 public:
  LocalJobService(ServiceOptions options, std::unique_ptr<JobStore> store,
                  std::unique_ptr<EventSink> events);
  ~LocalJobService() override;

  // Takes up what the store holds and starts to run jobs. Once, before anything else.
  void start(JobStore::Contents contents);

  Result<ModelPtr> describe_model(std::string_view name) const override;
  Result<Page<ModelPtr>> list_models(const ListQuery& query) const override;
  Result<JobView> describe_transform_job(std::string_view name) const override;
  Result<Page<JobPtr>> list_transform_jobs(const ListQuery& query) const override;
  Result<std::vector<Tag>> list_tags(std::string_view arn) const override;
  ServiceCounters counters() const override;
  Status ready() const override;

  Result<ModelPtr> create_model(std::string_view request) override;
  Status delete_model(std::string_view name) override;
  Result<JobView> create_transform_job(std::string_view request) override;
  Status stop_transform_job(std::string_view name) override;
  Status resume_transform_job(std::string_view name) override;
  Status delete_transform_job(std::string_view name) override;
  Result<Page<ObjectState>> list_objects(std::string_view name,
                                         const ObjectQuery& query) const override;
  Result<std::vector<Tag>> add_tags(std::string_view arn, const std::vector<Tag>& tags) override;
  Status delete_tags(std::string_view arn, const std::vector<std::string>& keys) override;
  std::vector<LogStream> log_streams(std::string_view prefix, std::string_view after,
                                     size_t streams_max) const override;
  Result<LogPage> read_log(std::string_view stream, const LogQuery& query) const override;
  void drain() override;

 private:
  // A job that has not ended. Its index entry stays until it has.
  struct Active {
    IndexedJob* entry = nullptr;
    CancelToken cancel;
  };

  // Taking up (service_start.cc).
  void take_up_job(StoredJob stored);
  void remove_leftovers() const;
  void activate(IndexedJob* entry, CancelToken cancel);

  // Running (service_run.cc).
  void work();
  void run(int64_t job);
  std::optional<StoredJob> begin(int64_t job, CancelToken* cancel);
  void show_progress(int64_t job, const JobProgress& progress);
  void end(int64_t job, const JobEnd& end);
  bool try_end(int64_t job, const JobEnd& end);
  void wait_for_store();

  // REQUIRES: transitions_ is held. Stores `changed` and, when that worked, shows and tells it.
  Status change(IndexedJob* entry, StoredJob changed);
  void count_end(JobStatus status);
  Status erase(IndexedJob* entry);
  void forget_oldest();

  Status find_model(std::string_view name, ModelPtr* model) const;
  Status check_job(const TransformJobRecord& job, const ModelRecord& model) const;
  Result<IndexedJob*> find_job(std::string_view name) const;
  // Id and exact name: of that job, and of the first whose name_key is not less than `key`.
  std::optional<std::pair<int64_t, std::string>> stored_job(std::string_view name) const;
  std::optional<std::pair<int64_t, std::string>> job_from(const std::string& key) const;
  Tags tags_of(std::string_view arn) const;
  bool has_resource(std::string_view arn) const;
  Status put_tags(std::string_view arn, const Tags& tags);
  Status told(Status status);
  // What the others are to be told of the job as it is now; empty where nobody listens.
  JobEvent event_of(const TransformJobRecord& job, const Tags& tags) const;

  const ServiceOptions options_;
  const std::unique_ptr<JobStore> store_;
  const std::unique_ptr<EventSink> events_;
  ModelCache models_loaded_;
  JobQueue queue_;
  CancelToken draining_;

  std::mutex transitions_;  // taken before mutex_

  mutable std::shared_mutex mutex_;  // guards what follows
  ModelIndex models_;
  JobIndex jobs_;
  std::map<std::string, Tags, std::less<>> tags_;  // by ARN
  std::map<int64_t, Active> active_;

  mutable std::mutex counters_mutex_;
  ServiceCounters counters_;
  std::string store_error_;  // of the last write; "": it worked
  int running_ = 0;

  std::vector<std::thread> threads_;
};

}  // namespace millrace::jobs
