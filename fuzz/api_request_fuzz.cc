// Requests of the API, byte by byte foreign: the first byte picks the operation, the rest is the
// body. Whatever it is, it is refused in words, or comes out clean: checked again it stays the
// same, and the rules that follow find every member they rely on.
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/check.h"
#include "jobs/without_effect.h"
#include "server/api_rules.h"
#include "server/api_validation.h"
#include "server/log_filter.h"
#include "server/xml_replies.h"

namespace server = millrace::server;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
  server::form_value(body, "Action");
  server::LogFilter(body).matches(body);
  const auto parsed = server::parse_request(body);
  if (!parsed) return 0;
  const auto sagemaker = server::sagemaker_operations();
  const auto logs = server::logs_operations();
  const size_t pick = data[0] % (sagemaker.size() + logs.size());
  const server::Operation& operation =
      pick < sagemaker.size() ? sagemaker[pick] : logs[pick - sagemaker.size()];
  const auto clean = server::check_request(*parsed, *operation.input);
  if (!clean) {
    MR_CHECK(!clean.error().message.empty());
    return 0;
  }
  const auto again = server::check_request(*clean, *operation.input);
  MR_CHECK(again && *again == *clean);
  if (operation.name == "CreateTransformJob") {
    (void)server::check_job_rules(*clean);
    (void)millrace::jobs::members_without_effect(*clean);
  }
  if (operation.name == "CreateModel") (void)server::check_model_rules(*clean);
  if (operation.name == "AddTags") (void)server::check_tag_rules(*clean);
  return 0;
}
