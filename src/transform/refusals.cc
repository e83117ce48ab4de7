// Counting is per object: a threshold in records is judged at each one, one in per cent at the end.
#include "transform/refusals.h"

#include <algorithm>

#include "base/digest.h"
#include "base/json_write.h"
#include "base/limits.h"
#include "base/utf8.h"

namespace millrace::transform {

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
  const double allowed = *rules_.percent_max / 100 * static_cast<double>(records);
  if (static_cast<double>(all_.count) <= allowed) return {};
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

std::string error_line(std::string_view object, uint64_t record, uint64_t offset,
                       std::string_view cause, std::string_view content) {
  std::string line = "{\"object\":";
  append_json_string(object, &line);
  line += ",\"record_number\":" + std::to_string(record + 1);
  line += ",\"byte_offset\":" + std::to_string(offset);
  line += ",\"code\":\"bad_input\",\"cause\":";
  append_json_string(cause, &line);
  const bool cut = content.size() > limits::kErrorRecordBytesMax;
  if (cut) content = content.substr(0, limits::kErrorRecordBytesMax);
  // The cut may go through a character.
  for (size_t i = 0; cut && i < 3 && !content.empty() && !is_utf8(content); ++i) {
    content.remove_suffix(1);
  }
  if (is_utf8(content)) {
    line += ",\"record\":";
    append_json_string(content, &line);
  } else {
    line += ",\"record_base64\":\"";
    line += base64(content);
    line += '"';
  }
  if (cut) line += ",\"record_cut\":true";
  return line + "}\n";
}

}  // namespace millrace::transform
