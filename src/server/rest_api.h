// What SageMaker's API has no operation for, under /v1: progress, the state of each object, errors,
// stop, resume and delete of a job. docs/openapi.json describes it, and is served there.
#pragma once

#include <string>
#include <string_view>

#include "server/api_backend.h"
#include "server/http_message.h"

namespace millrace::server {

struct RestReply {
  int status = 200;
  std::string body;        // JSON; "": none
  std::string error_code;  // "": none
  std::string allow;       // for 405: the methods that there are
};

bool is_rest_path(std::string_view path);
// A name of ours for the request, for logs and metrics: "GET /v1/jobs/{name}".
std::string_view rest_operation(const ServerRequest& request);
// Waits for the disk.
RestReply rest_reply(const ApiBackend& backend, const ServerRequest& request);
// The document.
std::string_view openapi_document();

// An error in the form that every JSON reply has.
std::string error_body(const ApiError& error);

}  // namespace millrace::server
