// JSON joins: the fast writer and the strict validator accept the same texts; what a join
// writes is JSON, and joining it again with the same result changes nothing. A zero byte parts
// record and result.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/json_check.h"
#include "base/limits.h"
#include "record/join.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t zero = input.find('\0');
  const std::string_view record = input.substr(0, zero);
  const std::string_view result = zero == std::string_view::npos ? "[1]" : input.substr(zero + 1);
  constexpr size_t kDepthMax = millrace::limits::kJsonDepthMax;
  const bool valid = !millrace::find_json_fault(record, kDepthMax) &&
                     !millrace::find_json_fault(result, kDepthMax);

  static millrace::record::JsonJoiner joiner;
  std::string joined;
  const auto status = joiner.join(record, result, &joined);
  MR_CHECK(status.has_value() == valid);
  if (!status) {
    MR_CHECK(status.error().code == millrace::Code::kBadInput);
    MR_CHECK(joined.empty());
    return 0;
  }
  MR_CHECK(joined.front() == '{');
  MR_CHECK(!millrace::find_json_fault(joined, kDepthMax + 1));
  std::string again;
  // Wrapping what is no object makes it one deeper, so the deepest are not joined twice.
  if (joiner.join(joined, result, &again)) MR_CHECK(again == joined);
  return 0;
}
