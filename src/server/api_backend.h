// What the operations of the API work with.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "jobs/job_service.h"
#include "server/api_error.h"

namespace millrace::server {

struct ApiBackend {
  jobs::JobService& jobs;
  std::string region, account;
  // One line for the operator.
  std::function<void(std::string_view)> note = [](std::string_view) {};
};

// Takes what check_request gave back; null: the reply has no body.
using OperationFunction = ApiResult<nlohmann::json> (*)(const ApiBackend&, const nlohmann::json&);

struct OperationEntry {
  std::string_view name;
  OperationFunction run;
  bool in_memory;  // fit for the server's own thread
};

// nullptr: there is none of that name.
const OperationEntry* find_sagemaker_entry(std::string_view name);
const OperationEntry* find_logs_entry(std::string_view name);

}  // namespace millrace::server
