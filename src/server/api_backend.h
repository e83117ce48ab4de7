// What the operations of the API work with.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "jobs/job_service.h"
#include "server/api_error.h"

namespace millrace::server {

struct ApiBackend {
  jobs::JobService& jobs;
  std::string region, account;
  // One line for the operator.
  std::function<void(std::string_view)> note = [](std::string_view) {};
};

// Takes what check_request gave back; gives the reply's body, which may be empty.
using OperationFunction = ApiResult<std::string> (*)(const ApiBackend&, const nlohmann::json&);
// The text of a body; null: none.
std::string body_text(const nlohmann::json& body);
// An operation that gives a document, as one that gives its text.
template <auto kRun>
ApiResult<std::string> as_text(const ApiBackend& backend, const nlohmann::json& request) {
  auto body = kRun(backend, request);
  if (!body) return tl::unexpected(std::move(body).error());
  return body_text(*body);
}

struct OperationEntry {
  std::string_view name;
  OperationFunction run;
  bool in_memory;  // fit for the server's own thread
};

// nullptr: there is none of that name.
const OperationEntry* find_sagemaker_entry(std::string_view name);
const OperationEntry* find_logs_entry(std::string_view name);

}  // namespace millrace::server
