// The kind of an error follows from its code, and from the words that the data path uses for what
// a model server did.
#include "jobs/failure_reason.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "base/limits.h"

namespace millrace::jobs {
namespace {

constexpr std::string_view kClientError = "ClientError: See job logs for more information";
constexpr std::string_view kAlgorithmError = "AlgorithmError: See job logs for more information";
constexpr std::string_view kPingError =
    "AlgorithmError: Model container failed to respond to ping. Please ensure /ping endpoint is "
    "implemented and responds with an HTTP 200 status code";
constexpr std::string_view kInternalError =
    "InternalServerError: We encountered an internal error. Please try again.";

// What a model server answers when it refuses, in http_messages.cc's words.
constexpr std::array<std::string_view, 2> kRefusals = {"ClientError: ",
                                                       "Bad HTTP status received from algorithm: "};

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != text.npos;
}

std::string_view kind_of(Code code, std::string_view message) {
  if (contains(message, "failed to respond to /ping")) return kPingError;
  const bool from_algorithm =
      contains(message, "received from algorithm") || contains(message, "response from algorithm");
  if (from_algorithm) return kAlgorithmError;
  switch (code) {
    case Code::kInvalidArgument:
    case Code::kNotFound:
    case Code::kAlreadyExists:
    case Code::kBadInput:
      return kClientError;
    default:
      return kInternalError;
  }
}

// At most `bytes_max` of it, no character split.
std::string cut(std::string text, size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  size_t end = bytes_max - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end) + "...";
}

std::string one_line(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool blank = static_cast<unsigned char>(c) < ' ' || c == '\x7f';
    if (!blank) {
      out += c;
    } else if (!out.empty() && out.back() != ' ') {
      out += ' ';
    }
  }
  return out;
}

std::string reason(Code code, std::string_view message) {
  const std::string_view kind = kind_of(code, message);
  const char* const stop = kind.ends_with('.') ? " " : ". ";
  return cut(fmt::format("{}{}{}", kind, stop, one_line(message)), limits::kFailureReasonBytesMax);
}

// "s3://bucket/key" -> "bucket/key".
std::string_view object_name(std::string_view described) {
  constexpr std::string_view kScheme = "s3://";
  if (described.starts_with(kScheme)) described.remove_prefix(kScheme.size());
  return described;
}

std::string with_head(const std::string& head, std::string_view text) {
  std::string lines;
  for (;;) {
    const size_t end = text.find('\n');
    lines += head;
    lines += text.substr(0, end);
    if (end == text.npos) return lines;
    lines += '\n';
    text.remove_prefix(end + 1);
  }
}

}  // namespace

std::string failure_reason(const Error& error) {
  return reason(error.code, error.message);
}

std::string failure_reason(const transform::JobReport& report) {
  for (const transform::ObjectReport& object : report.objects) {
    if (object.error.empty()) continue;
    std::string message = object.error;
    if (report.failed_objects > 1) {
      message = fmt::format("{} of {} objects failed; the first: {}", report.failed_objects,
                            report.objects.size(), message);
    }
    return reason(object.error_code, message);
  }
  return std::string(kInternalError);
}

std::string object_error_lines(const transform::ObjectReport& object) {
  const std::string head = fmt::format("{}: ", object_name(object.input));
  std::string_view message = object.error;
  if (message.starts_with(object.input)) {  // reports name the object themselves
    message.remove_prefix(object.input.size());
    if (message.starts_with(": ")) message.remove_prefix(2);
  }
  for (const std::string_view refusal : kRefusals) {
    const size_t at = message.find(refusal);
    if (at == message.npos) continue;
    const size_t body = message.find(": ", at + refusal.size());
    std::string lines =
        head + std::string(message.substr(at, body == message.npos ? body : body - at));
    lines += '\n' + head + '\n' + head + "Message:";
    if (body != message.npos) lines += '\n' + with_head(head, message.substr(body + 2));
    std::string_view where = message.substr(0, at);
    if (where.ends_with(": ")) where.remove_suffix(2);
    if (!where.empty())
      lines += '\n' + head + "[millrace] this was the answer to " + std::string(where);
    return lines;
  }
  return with_head(head, message);
}

}  // namespace millrace::jobs
