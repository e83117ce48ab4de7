// What Millrace and a Python worker send each other (python/millrace_worker/channel.py has the
// table): a header of 16 bytes, fields that each end in a zero byte, and a body. Pure functions;
// python_worker.h does the talking.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/http_client.h"
#include "base/result.h"

namespace millrace::handler {

inline constexpr size_t kFrameHeaderBytes = 16;

enum class FrameKind { kRequest, kReady, kFailure, kReply };

struct FrameHeader {
  FrameKind kind = FrameKind::kRequest;
  uint32_t field_bytes = 0;
  uint64_t body_bytes = 0;
};

// Header and fields of a request whose body has `body_bytes`; the body follows them.
std::string request_head(const std::vector<HeaderField>& headers, uint64_t body_bytes);

// REQUIRES: kFrameHeaderBytes bytes. corruption: no frame of a worker, or larger than one may be.
Result<FrameHeader> read_frame_header(std::string_view bytes);

// The fields, without their zero bytes; what stands behind the last one counts as one.
std::vector<std::string> read_fields(std::string_view bytes);

}  // namespace millrace::handler
