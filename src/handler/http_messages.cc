#include "handler/http_messages.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "base/limits.h"

namespace millrace::handler {
namespace {

bool is_control(char c) {
  return static_cast<unsigned char>(c) < ' ' || c == '\x7f';
}

// A whole number from 1 to `most`. 0 and what else some containers answer has no meaning that AWS
// documents, so the default holds.
template <class T>
std::optional<T> read_number(const nlohmann::json& object, const char* name, uint64_t most,
                             std::vector<std::string>* ignored) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return std::nullopt;
  if (found->is_number_unsigned()) {
    const auto value = found->get<uint64_t>();
    if (value >= 1 && value <= most) return static_cast<T>(value);
  }
  ignored->push_back(std::string(name) + ": not a whole number from 1 to " + std::to_string(most));
  return std::nullopt;
}

std::optional<record::BatchStrategy> read_strategy(const nlohmann::json& object,
                                                   std::vector<std::string>* ignored) {
  const auto found = object.find("BatchStrategy");
  if (found == object.end() || found->is_null()) return std::nullopt;
  const auto* const word = found->get_ptr<const std::string*>();
  for (const auto strategy :
       {record::BatchStrategy::kMultiRecord, record::BatchStrategy::kSingleRecord}) {
    if (word != nullptr && *word == container_word(strategy)) return strategy;
  }
  ignored->emplace_back("BatchStrategy: neither MULTI_RECORD nor SINGLE_RECORD");
  return std::nullopt;
}

}  // namespace

std::vector<HeaderField> invocation_headers(const std::string& content_type,
                                            const std::string& accept,
                                            const std::string& object_name) {
  std::vector<HeaderField> headers;
  if (!content_type.empty()) headers.emplace_back("Content-Type", content_type);
  if (!accept.empty()) headers.emplace_back("Accept", accept);
  if (std::none_of(object_name.begin(), object_name.end(), is_control)) {
    headers.emplace_back("X-Amzn-Sagemaker-Input-Object", object_name);
  }
  headers.emplace_back("X-Amzn-Sagemaker-Input-Object-Base64", base64(object_name));
  return headers;
}

Result<InvokeReply> read_invocation_reply(HttpReply reply) {
  if (reply.status >= 200 && reply.status < 300) {
    InvokeReply out;
    out.content_type = reply.header("content-type");
    out.body = std::move(reply.body);
    return out;
  }
  const std::string status = std::to_string(reply.status);
  const std::string excerpt = reply_excerpt(reply.body);
  const std::string why = excerpt.empty() ? "" : ": " + excerpt;
  if (reply.status >= 400 && reply.status < 500) {
    return fail(bad_input("ClientError: " + status + why));
  }
  return fail(unavailable("Bad HTTP status received from algorithm: " + status + why));
}

ExecutionParameters parse_execution_parameters(std::string_view body) {
  ExecutionParameters out;
  const auto json = nlohmann::json::parse(body, nullptr, false);
  if (!json.is_object()) {
    out.ignored.emplace_back("not a JSON object");
    return out;
  }
  out.max_concurrent_transforms = read_number<uint32_t>(
      json, "MaxConcurrentTransforms", limits::kConcurrentTransformsMax, &out.ignored);
  out.max_payload_in_mb = read_number<uint64_t>(
      json, "MaxPayloadInMB", limits::kPayloadBytesMax / limits::kMiB, &out.ignored);
  out.batch_strategy = read_strategy(json, &out.ignored);
  return out;
}

std::string_view container_word(record::BatchStrategy strategy) {
  return strategy == record::BatchStrategy::kSingleRecord ? "SINGLE_RECORD" : "MULTI_RECORD";
}

std::string reply_excerpt(std::string_view body) {
  const auto blank = [](char c) { return static_cast<unsigned char>(c) <= ' '; };
  while (!body.empty() && blank(body.front())) body.remove_prefix(1);
  while (!body.empty() && blank(body.back())) body.remove_suffix(1);
  constexpr size_t kHalf = limits::kReplyExcerptBytesMax / 2;
  std::string text(body);
  if (body.size() > limits::kReplyExcerptBytesMax) {
    text = std::string(body.substr(0, kHalf)) + " [...] " +
           std::string(body.substr(body.size() - kHalf));
  }
  for (char& c : text) {
    if (is_control(c) && c != '\n' && c != '\t') c = ' ';
  }
  return text;
}

}  // namespace millrace::handler
