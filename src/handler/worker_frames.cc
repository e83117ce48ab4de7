#include "handler/worker_frames.h"

#include "base/limits.h"

namespace millrace::handler {
namespace {

template <class T>
void put(T value, std::string* out) {
  for (size_t i = 0; i < sizeof value; ++i) {
    *out += static_cast<char>(static_cast<unsigned char>(value >> (8 * i)));
  }
}

template <class T>
T take(std::string_view bytes) {
  T value = 0;
  for (size_t i = 0; i < sizeof value; ++i) {
    value |= static_cast<T>(static_cast<unsigned char>(bytes[i])) << (8 * i);
  }
  return value;
}

}  // namespace

std::string request_head(const std::vector<HeaderField>& headers, uint64_t body_bytes) {
  std::string fields;
  for (const auto& [name, value] : headers)
    fields.append(name) += '\0', fields.append(value) += '\0';
  std::string head = "MRQ1";
  put(static_cast<uint32_t>(fields.size()), &head);
  put(body_bytes, &head);
  return head + fields;
}

Result<FrameHeader> read_frame_header(std::string_view bytes) {
  FrameHeader header;
  const std::string_view kind = bytes.substr(0, 4);
  if (kind == "MRR1") {
    header.kind = FrameKind::kReady;
  } else if (kind == "MRF1") {
    header.kind = FrameKind::kFailure;
  } else if (kind == "MRP1") {
    header.kind = FrameKind::kReply;
  } else {
    return fail(corruption("the worker sent something that is no reply"));
  }
  header.field_bytes = take<uint32_t>(bytes.substr(4, 4));
  header.body_bytes = take<uint64_t>(bytes.substr(8, 8));
  if (header.field_bytes > limits::kModelServerTextBytesMax) {
    return fail(corruption("the worker sent a reply with oversized headers"));
  }
  if (header.body_bytes > limits::kReplyBytesMax) {
    return fail(corruption("the reply has " + std::to_string(header.body_bytes) +
                           " bytes, more than " + std::to_string(limits::kReplyBytesMax)));
  }
  return header;
}

std::vector<std::string> read_fields(std::string_view bytes) {
  std::vector<std::string> fields;
  while (!bytes.empty()) {
    const size_t end = bytes.find('\0');
    fields.emplace_back(bytes.substr(0, end));
    if (end == std::string_view::npos) break;
    bytes.remove_prefix(end + 1);
  }
  return fields;
}

}  // namespace millrace::handler
