// What a part's result says of it, and files of three names for each.
#include "transform/staged_parts.h"

#include <algorithm>
#include <charconv>
#include <vector>

#include "base/limits.h"
#include "transform/file_io.h"
#include "transform/journal.h"

namespace millrace::transform {
namespace {

constexpr std::string_view kErrorsSuffix = ".errors";
constexpr std::string_view kResultSuffix = ".result";
constexpr char kResultWord[] = "part";
// Its only long field is the message about the first refused record.
constexpr size_t kResultBytesMax = 1024 * 1024;

std::string file_of(const std::string& name, std::string_view suffix = "") {
  return "parts/" + name + std::string(suffix);
}

uint64_t to_number(const std::string& text) {
  uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::vector<std::string> range_fields(const Part& part) {
  return {kResultWord, std::to_string(part.offset), std::to_string(part.length),
          std::to_string(part.first_record)};
}

std::string result_line(const Part& part, const PartResult& result) {
  std::vector<std::string> fields = range_fields(part);
  fields.push_back(std::to_string(result.bytes));
  fields.push_back(std::to_string(result.error_bytes));
  fields.push_back(std::to_string(result.records));
  fields.push_back(counts_field(result.counts));
  fields.push_back(std::to_string(result.refused.count));
  fields.push_back(std::to_string(result.refused.first_record));
  fields.push_back(result.refused.first_cause);
  return format_line(fields);
}

}  // namespace

// Nothing: no such line, one of another range, or one that a power cut left torn.
std::optional<PartResult> StagedParts::read_result(const std::string& name,
                                                   const Part& part) const {
  const auto text = storage_.read(file_of(name, kResultSuffix), kResultBytesMax);
  if (!text || !*text || !(*text)->ends_with('\n')) return std::nullopt;
  const std::vector<std::string> fields = parse_line((*text)->substr(0, (*text)->size() - 1));
  const std::vector<std::string> range = range_fields(part);
  if (fields.size() != range.size() + 7) return std::nullopt;
  if (!std::equal(range.begin(), range.end(), fields.begin())) return std::nullopt;
  PartResult result;
  result.bytes = to_number(fields[4]);
  result.error_bytes = to_number(fields[5]);
  result.records = to_number(fields[6]);
  result.counts = parse_counts(fields[7]);
  result.refused = {to_number(fields[8]), to_number(fields[9]), fields[10]};
  return result;
}

std::optional<PartResult> StagedParts::find(const std::string& name, const Part& part) const {
  const std::optional<uint64_t> bytes = storage_.size(file_of(name));
  if (!bytes) return std::nullopt;
  std::optional<PartResult> staged = read_result(name, part);
  if (!staged || *bytes != staged->bytes) return std::nullopt;
  if (storage_.size(file_of(name, kErrorsSuffix)).value_or(0) != staged->error_bytes) {
    return std::nullopt;
  }
  return staged;
}

Result<std::unique_ptr<store::ObjectWriter>> StagedParts::create(const std::string& name) const {
  return storage_.create(file_of(name));
}

Result<std::unique_ptr<store::ObjectWriter>> StagedParts::create_errors(
    const std::string& name) const {
  return storage_.create(file_of(name, kErrorsSuffix));
}

Status StagedParts::write_result(const std::string& name, const Part& part,
                                 const PartResult& result) const {
  MR_ASSIGN(const auto writer, storage_.create(file_of(name, kResultSuffix)));
  MR_TRY(writer->append(result_line(part, result)));
  return writer->commit();
}

Result<std::unique_ptr<store::ObjectReader>> StagedParts::read(const std::string& name) const {
  return storage_.open(file_of(name), 0);
}

Status StagedParts::copy_file(const std::string& file, store::ObjectWriter& out,
                              uint64_t from) const {
  MR_ASSIGN(const auto reader, storage_.open(file, from));
  std::string block(limits::kReadBlockBytes, '\0');
  for (;;) {
    MR_ASSIGN(const size_t got, reader->read(block));
    if (got == 0) return {};
    MR_TRY(out.append({block.data(), got}));
  }
}

Status StagedParts::copy(const std::string& name, store::ObjectWriter& out, uint64_t from) const {
  return copy_file(file_of(name), out, from);
}

Result<std::unique_ptr<store::ObjectReader>> StagedParts::read_errors(
    const std::string& name) const {
  const std::string file = file_of(name, kErrorsSuffix);
  if (!storage_.size(file)) return nullptr;
  return storage_.open(file, 0);
}

Status StagedParts::copy_errors(const std::string& name, store::ObjectWriter& out) const {
  const std::string file = file_of(name, kErrorsSuffix);
  return storage_.size(file) ? copy_file(file, out, 0) : Status();
}

void StagedParts::remove(const std::string& name) const {
  for (const std::string_view suffix : {std::string_view(), kErrorsSuffix, kResultSuffix}) {
    storage_.remove(file_of(name, suffix));
  }
}

}  // namespace millrace::transform
