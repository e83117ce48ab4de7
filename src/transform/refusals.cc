// Counting is per object: a threshold in records is judged at each one, one in per cent at the end.
#include "transform/refusals.h"

#include <algorithm>
#include <charconv>

#include "base/digest.h"
#include "base/json_write.h"
#include "base/limits.h"
#include "base/utf8.h"

namespace millrace::transform {
namespace {

// Of a threshold such as 4.35, and of its product with a number of records.
constexpr double kRoundingError = 1e-12;

std::string line_start(std::string_view object) {
  std::string line = "{\"object\":";
  append_json_string(object, &line);
  return line + ",\"record_number\":";
}

void append_content(std::string_view content, std::string* line) {
  const bool cut = content.size() > limits::kErrorRecordBytesMax;
  if (cut) content = content.substr(0, limits::kErrorRecordBytesMax);
  // The cut may go through a character.
  for (size_t i = 0; cut && i < 3 && !content.empty() && !is_utf8(content); ++i) {
    content.remove_suffix(1);
  }
  if (is_utf8(content)) {
    *line += ",\"record\":";
    append_json_string(content, line);
  } else {
    *line += ",\"record_base64\":\"" + base64(content) + '"';
  }
  if (cut) *line += ",\"record_cut\":true";
}

}  // namespace

Status Refusals::add(uint32_t part, const RefusedRecords& refused) {
  if (refused.count == 0) return {};
  std::lock_guard lock(mutex_);
  all_ += refused;
  if (!rules_.count_max || all_.count <= *rules_.count_max) return {};
  exceeded_part_ = std::min(part, exceeded_part_.value_or(part));
  return fail(bad_input("more records were refused than --error-threshold allows"));
}

Status Refusals::judge(uint64_t records) const {
  std::lock_guard lock(mutex_);
  if (!rules_.percent_max) return {};
  // 29 of 100 are 29%: P / 100 is no number that doubles have, and its product falls short.
  const double allowed = *rules_.percent_max * static_cast<double>(records);
  if (static_cast<double>(all_.count) * 100 <= allowed * (1 + kRoundingError)) return {};
  return fail(too_many(rules_.text + " of " + std::to_string(records)));
}

std::optional<uint32_t> Refusals::exceeded_part() const {
  std::lock_guard lock(mutex_);
  return exceeded_part_;
}

Error Refusals::error() const {
  std::lock_guard lock(mutex_);
  return too_many(rules_.text);
}

uint64_t Refusals::count() const {
  std::lock_guard lock(mutex_);
  return all_.count;
}

Error Refusals::too_many(const std::string& allowed) const {
  return bad_input("more than " + allowed + " records were refused, the first of them " +
                   all_.first_cause);
}

Status ErrorsFile::append(std::string_view lines) {
  if (lines.empty()) return {};
  if (!writer_) {
    MR_ASSIGN(writer_, create_());
  }
  bytes_ += lines.size();
  return writer_->append(lines);
}

Status ErrorsFile::commit() {
  return writer_ ? writer_->commit() : Status();
}

std::string errors_key(std::string_view output_key) {
  return std::string(output_key) + ".errors.jsonl";
}

std::string error_line(const RefusedRecord& refused) {
  std::string line = line_start(refused.object) + std::to_string(refused.record + 1);
  if (refused.offset) line += ",\"byte_offset\":" + std::to_string(*refused.offset);
  line += ",\"code\":\"bad_input\",\"cause\":";
  append_json_string(refused.cause, &line);
  if (refused.content) {
    append_content(*refused.content, &line);
  } else {
    line += ",\"record\":null";
  }
  return line + "}\n";
}

std::optional<uint64_t> record_in_error_line(std::string_view line, std::string_view object) {
  const std::string start = line_start(object);
  if (!line.starts_with(start)) return std::nullopt;
  line.remove_prefix(start.size());
  uint64_t number = 0;
  const auto [stop, code] = std::from_chars(line.data(), line.data() + line.size(), number);
  if (code != std::errc() || number == 0) return std::nullopt;
  return number - 1;
}

}  // namespace millrace::transform
