// The operations of the SageMaker API, each in a few lines: what is asked of the job service, and
// how its answer looks.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "jobs/without_effect.h"
#include "server/api_backend.h"
#include "server/api_rules.h"
#include "server/job_json.h"

namespace millrace::server {
namespace {

using nlohmann::json;

const std::string& text(const json& request, const char* member) {
  return request[member].get_ref<const std::string&>();
}

std::string text_or(const json& request, const char* member, const char* otherwise = "") {
  return request.value(member, otherwise);
}

ApiResult<json> create_transform_job(const ApiBackend& backend, const json& request) {
  if (auto ok = check_job_rules(request); !ok) return tl::unexpected(ok.error());
  auto created = backend.jobs.create_transform_job(request.dump());
  if (!created) {
    return tl::unexpected(api_error_of(std::move(created).error(), "ResourceInUse"));
  }
  const std::string ignored = jobs::members_without_effect(request);
  if (!ignored.empty()) {
    backend.note("job " + created->record->name + ": accepted without effect: " + ignored);
  }
  return json{{"TransformJobArn", created->record->arn}};
}

ApiResult<std::string> describe_transform_job(const ApiBackend& backend, const json& request) {
  auto view = backend.jobs.describe_transform_job(text(request, "TransformJobName"));
  if (!view) return tl::unexpected(api_error_of(std::move(view).error(), ""));
  return describe_job_text(*view);
}

ApiResult<json> stop_transform_job(const ApiBackend& backend, const json& request) {
  auto stopped = backend.jobs.stop_transform_job(text(request, "TransformJobName"));
  if (stopped) return json();
  if (stopped.error().code == Code::kNotFound) {
    return api_fail(400, "ResourceNotFound", std::move(stopped.error().message));
  }
  return tl::unexpected(api_error_of(std::move(stopped).error(), ""));
}

std::optional<double> time_or_none(const json& request, const char* member) {
  const auto found = request.find(member);
  if (found == request.end()) return std::nullopt;
  return found->get<double>();
}

jobs::ListQuery list_query(const json& request) {
  jobs::ListQuery query;
  query.name_contains = text_or(request, "NameContains");
  query.created_after = time_or_none(request, "CreationTimeAfter");
  query.created_before = time_or_none(request, "CreationTimeBefore");
  query.modified_after = time_or_none(request, "LastModifiedTimeAfter");
  query.modified_before = time_or_none(request, "LastModifiedTimeBefore");
  query.status = jobs::parse_job_status(text_or(request, "StatusEquals"));
  const std::string order = text_or(request, "SortBy", "CreationTime");
  query.sort_by = order == "Name"     ? jobs::SortBy::kName
                  : order == "Status" ? jobs::SortBy::kStatus
                                      : jobs::SortBy::kCreationTime;
  query.descending = text_or(request, "SortOrder", "Descending") == "Descending";
  query.results_max = request.value("MaxResults", size_t{10});
  query.next_token = text_or(request, "NextToken");
  return query;
}

template <class Record, class Summary>
json page_json(const jobs::Page<Record>& page, const char* member, Summary summary) {
  json out = {{member, json::array()}};
  for (const Record& record : page.records) out[member].push_back(summary(*record));
  if (!page.next_token.empty()) out["NextToken"] = page.next_token;
  return out;
}

ApiResult<json> list_transform_jobs(const ApiBackend& backend, const json& request) {
  auto page = backend.jobs.list_transform_jobs(list_query(request));
  if (!page) return tl::unexpected(api_error_of(std::move(page).error(), ""));
  return page_json(*page, "TransformJobSummaries", job_summary_json);
}

ApiResult<json> create_model(const ApiBackend& backend, const json& request) {
  if (auto ok = check_model_rules(request); !ok) return tl::unexpected(ok.error());
  auto created = backend.jobs.create_model(request.dump());
  if (!created) {
    // The SDK goes on when it reads these words.
    if (created.error().code == Code::kAlreadyExists) {
      created.error().message =
          fmt::format("Cannot create already existing model \"arn:aws:sagemaker:{}:{}:model/{}\".",
                      backend.region, backend.account, text(request, "ModelName"));
    }
    return tl::unexpected(api_error_of(std::move(created).error(), "ValidationException"));
  }
  return json{{"ModelArn", (*created)->arn}};
}

ApiResult<json> describe_model(const ApiBackend& backend, const json& request) {
  auto model = backend.jobs.describe_model(text(request, "ModelName"));
  if (!model) return tl::unexpected(api_error_of(std::move(model).error(), ""));
  return describe_model_json(**model);
}

ApiResult<json> list_models(const ApiBackend& backend, const json& request) {
  auto page = backend.jobs.list_models(list_query(request));
  if (!page) return tl::unexpected(api_error_of(std::move(page).error(), ""));
  return page_json(*page, "Models", model_summary_json);
}

ApiResult<json> delete_model(const ApiBackend& backend, const json& request) {
  auto deleted = backend.jobs.delete_model(text(request, "ModelName"));
  if (!deleted) return tl::unexpected(api_error_of(std::move(deleted).error(), ""));
  return json();
}

json tags_json(const std::vector<jobs::Tag>& tags) {
  json list = json::array();
  for (const jobs::Tag& tag : tags) list.push_back({{"Key", tag.key}, {"Value", tag.value}});
  return {{"Tags", std::move(list)}};
}

ApiResult<json> add_tags(const ApiBackend& backend, const json& request) {
  if (auto ok = check_tag_rules(request); !ok) return tl::unexpected(ok.error());
  std::vector<jobs::Tag> tags;
  for (const json& tag : request["Tags"]) tags.push_back({text(tag, "Key"), text(tag, "Value")});
  auto all = backend.jobs.add_tags(text(request, "ResourceArn"), tags);
  if (!all) return tl::unexpected(api_error_of(std::move(all).error(), ""));
  return tags_json(*all);
}

// 50 at most, which is the smallest page that may be asked for.
ApiResult<json> list_tags(const ApiBackend& backend, const json& request) {
  if (!text_or(request, "NextToken").empty()) return validation_fail("Invalid NextToken.");
  auto tags = backend.jobs.list_tags(text(request, "ResourceArn"));
  if (!tags) return tl::unexpected(api_error_of(std::move(tags).error(), ""));
  return tags_json(*tags);
}

ApiResult<json> delete_tags(const ApiBackend& backend, const json& request) {
  const auto keys = request["TagKeys"].get<std::vector<std::string>>();
  auto deleted = backend.jobs.delete_tags(text(request, "ResourceArn"), keys);
  if (!deleted) return tl::unexpected(api_error_of(std::move(deleted).error(), ""));
  return json::object();
}

constexpr OperationEntry kEntries[] = {{"CreateTransformJob", as_text<create_transform_job>, false},
                                       {"DescribeTransformJob", describe_transform_job, true},
                                       {"ListTransformJobs", as_text<list_transform_jobs>, true},
                                       {"StopTransformJob", as_text<stop_transform_job>, false},
                                       {"CreateModel", as_text<create_model>, false},
                                       {"DescribeModel", as_text<describe_model>, true},
                                       {"ListModels", as_text<list_models>, true},
                                       {"DeleteModel", as_text<delete_model>, false},
                                       {"AddTags", as_text<add_tags>, false},
                                       {"ListTags", as_text<list_tags>, true},
                                       {"DeleteTags", as_text<delete_tags>, false}};

}  // namespace

std::string body_text(const json& body) {
  return body.is_null() ? "" : body.dump(-1, ' ', false, json::error_handler_t::replace);
}

const OperationEntry* find_sagemaker_entry(std::string_view name) {
  for (const OperationEntry& entry : kEntries) {
    if (entry.name == name) return &entry;
  }
  return nullptr;
}

}  // namespace millrace::server
