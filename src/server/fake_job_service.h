// A JobService in memory for tests of the protocol: it keeps what it is given, runs nothing, and
// fails when it is told to.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "jobs/job_service.h"

namespace millrace::server {

class FakeJobService final : public jobs::JobService {
 public:
  std::map<std::string, std::shared_ptr<jobs::TransformJobRecord>> jobs;
  std::map<std::string, std::shared_ptr<jobs::ModelRecord>> models;
  std::map<std::string, std::vector<jobs::Tag>> tags;
  std::map<std::string, std::vector<jobs::LogEvent>> logs;
  std::vector<jobs::ObjectState> objects;
  Status readiness;
  mutable jobs::ListQuery last_query;

  Result<jobs::ModelPtr> describe_model(std::string_view name) const override {
    const auto found = models.find(std::string(name));
    if (found == models.end())
      return fail(not_found("Could not find model \"" + arn_of("model", name) + "\"."));
    return jobs::ModelPtr(found->second);
  }
  Result<jobs::Page<jobs::ModelPtr>> list_models(const jobs::ListQuery& query) const override {
    last_query = query;
    jobs::Page<jobs::ModelPtr> page;
    for (const auto& [name, model] : models) page.records.push_back(model);
    return page;
  }
  Result<jobs::JobView> describe_transform_job(std::string_view name) const override {
    const auto found = jobs.find(std::string(name));
    if (found == jobs.end()) {
      return fail(
          not_found("Could not find transform job '" + arn_of("transform-job", name) + "'."));
    }
    jobs::JobView view{found->second, {}};
    view.progress.records_done = 7;
    return view;
  }
  Result<jobs::Page<jobs::JobPtr>> list_transform_jobs(
      const jobs::ListQuery& query) const override {
    last_query = query;
    if (query.next_token == "bad") return fail(invalid_argument("Invalid NextToken."));
    jobs::Page<jobs::JobPtr> page;
    for (const auto& [name, job] : jobs) page.records.push_back(job);
    if (page.records.size() > query.results_max) {
      page.records.resize(query.results_max);
      page.next_token = "more";
    }
    return page;
  }
  Result<std::vector<jobs::Tag>> list_tags(std::string_view arn) const override {
    const auto found = tags.find(std::string(arn));
    if (found == tags.end()) return fail(not_found("no such resource"));
    return found->second;
  }
  jobs::ServiceCounters counters() const override { return {}; }
  Status ready() const override { return readiness; }

  Result<jobs::ModelPtr> create_model(std::string_view request) override {
    auto model = std::make_shared<jobs::ModelRecord>();
    model->name = nlohmann::json::parse(request)["ModelName"];
    model->arn = arn_of("model", model->name);
    model->request = request;
    if (!models.emplace(model->name, model).second) return fail(already_exists("taken"));
    return jobs::ModelPtr(model);
  }
  Status delete_model(std::string_view name) override {
    if (models.erase(std::string(name)) == 0) return fail(not_found("Could not find model"));
    return {};
  }
  Result<jobs::JobView> create_transform_job(std::string_view request) override {
    const auto parsed = nlohmann::json::parse(request);
    auto job = std::make_shared<jobs::TransformJobRecord>();
    job->name = parsed["TransformJobName"];
    job->arn = arn_of("transform-job", job->name);
    job->request = request;
    job->model_name = parsed["ModelName"];
    job->creation_time = job->last_modified_time = 1764106123.5;
    if (job->model_name == "unavailable") return fail(unavailable("the disk is full"));
    if (!models.contains(job->model_name)) return fail(not_found("Could not find model"));
    if (!jobs.emplace(job->name, job).second) return fail(already_exists("the name is taken"));
    return jobs::JobView{job, {}};
  }
  Status stop_transform_job(std::string_view name) override {
    const auto found = jobs.find(std::string(name));
    if (found == jobs.end()) return fail(not_found("no such job"));
    if (found->second->status != jobs::JobStatus::kInProgress) {
      return fail(invalid_argument("it is not InProgress"));
    }
    found->second->status = jobs::JobStatus::kStopped;
    return {};
  }
  Status resume_transform_job(std::string_view name) override {
    return jobs.contains(std::string(name)) ? Status() : Status(fail(not_found("no such job")));
  }
  Status delete_transform_job(std::string_view name) override {
    const auto found = jobs.find(std::string(name));
    if (found == jobs.end()) return fail(not_found("no such job"));
    if (!jobs::is_terminal(found->second->status)) return fail(invalid_argument("it runs"));
    jobs.erase(found);
    return {};
  }
  Result<jobs::Page<jobs::ObjectState>> list_objects(
      std::string_view name, const jobs::ObjectQuery& query) const override {
    if (!jobs.contains(std::string(name))) return fail(not_found("no such job"));
    jobs::Page<jobs::ObjectState> page;
    for (const auto& object : objects) {
      if (!query.only_failed || !object.error.empty()) page.records.push_back(object);
    }
    return page;
  }
  Result<std::vector<jobs::Tag>> add_tags(std::string_view arn,
                                          const std::vector<jobs::Tag>& more) override {
    auto& all = tags[std::string(arn)];
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  Status delete_tags(std::string_view arn, const std::vector<std::string>& keys) override {
    auto& all = tags[std::string(arn)];
    std::erase_if(all, [&](const jobs::Tag& tag) {
      return std::find(keys.begin(), keys.end(), tag.key) != keys.end();
    });
    return {};
  }
  std::vector<jobs::LogStream> log_streams(std::string_view prefix, std::string_view after,
                                           size_t streams_max) const override {
    std::vector<jobs::LogStream> out;
    for (const auto& [name, events] : logs) {
      if (name.starts_with(prefix) && name > after && out.size() < streams_max) {
        out.push_back({name, "arn:" + name, 1000, {}, {}, 0});
      }
    }
    return out;
  }
  Result<jobs::LogPage> read_log(std::string_view stream,
                                 const jobs::LogQuery& query) const override {
    const auto found = logs.find(std::string(stream));
    if (found == logs.end()) return fail(not_found("no such stream"));
    jobs::LogPage page;
    page.begin = page.end = query.position.value_or(query.backward ? found->second.size() : 0);
    for (const jobs::LogEvent& event : found->second) {
      const bool wanted = event.time_ms >= query.start_ms.value_or(0) &&
                          event.position >= (query.backward ? 0 : query.position.value_or(0)) &&
                          page.events.size() < query.events_max;
      if (!wanted || (query.backward && event.position >= page.end)) continue;
      page.events.push_back(event);
    }
    if (!page.events.empty()) {
      page.begin = page.events.front().position;
      page.end = page.events.back().position + 1;
    }
    return page;
  }
  void drain() override {}

 private:
  static std::string arn_of(std::string_view kind, std::string_view name) {
    return "arn:aws:sagemaker:us-east-1:000000000000:" + std::string(kind) + "/" +
           std::string(name);
  }
};

}  // namespace millrace::server
