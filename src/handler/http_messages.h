// The container contract on paper: which headers an invocation carries, and what the answers to
// /invocations and /execution-parameters mean. Pure functions; http_handler.h does the talking.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/http_client.h"
#include "handler/inference_handler.h"

namespace millrace::handler {

// Content-Type and Accept where they are given, and the object's name in plain and in Base64, as
// SageMaker sends them. A name that no header can carry (control characters) goes in Base64 only.
std::vector<HeaderField> invocation_headers(const std::string& content_type,
                                            const std::string& accept,
                                            const std::string& object_name);

// 2xx is the model's answer, also an empty one. 4xx is bad_input: the model refuses the records.
// Other statuses are unavailable, which the caller may try again. Messages have SageMaker's words
// and quote the body: "ClientError: 400: <body>".
Result<InvokeReply> read_invocation_reply(HttpReply reply);

struct ExecutionParameters {
  std::optional<uint32_t> max_concurrent_transforms;
  std::optional<uint64_t> max_payload_in_mb;
  std::optional<record::BatchStrategy> batch_strategy;
  // What was not understood and is left at its default, for the user to read.
  std::vector<std::string> ignored;
};

// {"MaxConcurrentTransforms":8,"BatchStrategy":"MULTI_RECORD","MaxPayloadInMB":6}; what is missing
// or out of range stays unset.
ExecutionParameters parse_execution_parameters(std::string_view body);

// "MULTI_RECORD": as containers and their environment spell the API's MultiRecord.
std::string_view container_word(record::BatchStrategy strategy);

// The body of an answer that refuses, as a message quotes it: trimmed, without control characters,
// of a long one the beginning and the end (a traceback ends with what matters).
std::string reply_excerpt(std::string_view body);

}  // namespace millrace::handler
