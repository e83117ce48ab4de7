// Splitters: whatever the bytes and the blocks in which they come, the same records; together the
// records of SplitType None and Line are the object, byte for byte, and so are whole frames of
// RecordIO and TFRecord. The first three bytes choose the format, the block size and the limit.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "record/splitter.h"

namespace {

namespace record = millrace::record;

struct Cut {
  std::vector<std::string> framed, content, problem;
  std::string error;
};

Cut cut(const record::DataFormat& format, std::string_view object, size_t block, uint64_t limit) {
  const auto splitter = record::make_splitter(format, 0, limit);
  Cut result;
  uint64_t end = 0;
  for (bool whole = false;;) {
    record::Record found;
    const auto next = splitter->next(&found);
    if (!next) {
      result.error = next.error().message;
      return result;
    }
    if (*next) {
      MR_CHECK(found.framed.size() <= limit);
      MR_CHECK(found.offset >= end);
      MR_CHECK(found.content.data() >= found.framed.data());
      end = splitter->position();
      MR_CHECK(end >= found.offset + found.framed.size());
      result.framed.emplace_back(found.framed);
      result.content.emplace_back(found.content);
      result.problem.emplace_back(found.problem);
      continue;
    }
    if (whole) return result;
    const std::string bytes(object.substr(0, block));
    object.remove_prefix(bytes.size());
    splitter->feed(bytes);
    whole = object.empty();
    if (whole) splitter->finish();
  }
}

// Bits 5 and 6 of the first byte: one of the types that are not lines; bit 7: SingleRecord.
void choose_split_type(uint8_t choice, record::DataFormat* format) {
  constexpr record::SplitType kOthers[] = {
      record::SplitType::kRecordIo, record::SplitType::kTfRecord, record::SplitType::kJsonArray};
  if ((choice >> 5 & 3) != 0) format->split_type = kOthers[(choice >> 5 & 3) - 1];
  if ((choice & 128) != 0) format->batch_strategy = record::BatchStrategy::kSingleRecord;
}

// The records of an object that was read to its end are all of it.
bool keeps_every_byte(const record::DataFormat& format) {
  if (record::is_framed(format.split_type)) {
    return format.batch_strategy == record::BatchStrategy::kMultiRecord;
  }
  return format.split_type != record::SplitType::kJsonArray && !format.csv.rfc4180;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 3) return 0;
  const std::string_view object(reinterpret_cast<const char*>(data) + 3, size - 3);
  constexpr const char* kTypes[] = {"text/csv", "application/jsonlines", "text/plain", ""};
  record::DataFormat format;
  format.content_type = kTypes[data[0] & 3];
  format.split_type = (data[0] & 4) != 0 ? record::SplitType::kNone : record::SplitType::kLine;
  format.csv.rfc4180 = (data[0] & 8) != 0;
  choose_split_type(data[0], &format);
  // A limit below the header of a frame, or below a byte order mark, is none that anybody sets.
  const uint64_t limit_min = record::is_framed(format.split_type) ? 16 : 4;
  const uint64_t limit = (data[0] & 16) != 0 ? limit_min + data[2] : size + 16;

  const Cut whole = cut(format, object, size, limit);
  const Cut pieces = cut(format, object, 1 + data[1] % 16, limit);
  MR_CHECK(whole.framed == pieces.framed);
  MR_CHECK(whole.content == pieces.content);
  MR_CHECK(whole.problem == pieces.problem);
  // What follows the semicolon is a guess at the cause, made from what was read by then.
  const auto known = [](const Cut& c) { return c.error.substr(0, c.error.find(';')); };
  MR_CHECK(known(whole) == known(pieces));
  if (keeps_every_byte(format) && whole.error.empty()) {
    std::string together;
    for (const std::string& framed : whole.framed) together += framed;
    MR_CHECK(together == object);
  }
  return 0;
}
