// Greedy: a record goes into the mini-batch that is open, or closes it and opens the next.
#include "record/batcher.h"

#include <fmt/format.h>

#include <limits>
#include <utility>

#include "base/check.h"

namespace millrace::record {

namespace {
// RecordSpan counts in 32 bits; a larger request would not fit into memory sensibly either.
constexpr uint64_t kBodyBytesMax = std::numeric_limits<uint32_t>::max();
}  // namespace

Result<bool> Batcher::add(const Record& record) {
  MR_CHECK(complete_.empty());
  const uint64_t size = record.framed.size() + (makes_array() ? 2 : 0);  // with its brackets
  if (limits_.payload_bytes_max != 0 && size > limits_.payload_bytes_max) {
    return fail(bad_input(
        fmt::format("record {} (byte {}) has {} bytes, more than the {} that MaxPayloadInMB allows",
                    next_record_ + 1, record.offset, size, limits_.payload_bytes_max)));
  }
  if (size > kBodyBytesMax) {
    return fail(bad_input(fmt::format("record {} (byte {}) has {} bytes, more than a request holds",
                                      next_record_ + 1, record.offset, size)));
  }
  const bool closes = !current_.empty() && !fits(record);
  if (closes) {
    complete_ = close();
    // The next one will most likely be as large: one allocation instead of many.
    current_.body.reserve(complete_.body.size());
    current_.records.reserve(complete_.records.size());
  }
  append(&current_, record);
  // A record that fills a mini-batch alone is complete too, but only one can be handed out at once.
  if (!closes && full()) {
    complete_ = close();
    return true;
  }
  return closes;
}

MiniBatch Batcher::take() {
  return complete_.empty() ? close() : std::exchange(complete_, MiniBatch{});
}

MiniBatch Batcher::close() {
  if (makes_array() && !current_.empty()) current_.body += ']';
  return std::exchange(current_, MiniBatch{});
}

bool Batcher::makes_array() const {
  return limits_.json_array && limits_.strategy == BatchStrategy::kMultiRecord;
}

bool Batcher::fits(const Record& record) const {
  if (full()) return false;
  // Of an array ',' and ']' come with it.
  const uint64_t size = current_.body.size() + record.framed.size() + (makes_array() ? 2 : 0);
  if (size > kBodyBytesMax) return false;
  if (limits_.cut_bytes != 0 && size > limits_.cut_bytes) return false;
  return limits_.payload_bytes_max == 0 || size <= limits_.payload_bytes_max;
}

// Nothing can be added, however small.
bool Batcher::full() const {
  if (limits_.strategy == BatchStrategy::kSingleRecord) return true;
  return limits_.cut_records != 0 && current_.records.size() >= limits_.cut_records;
}

void Batcher::append(MiniBatch* batch, const Record& record) {
  if (batch->empty()) {
    batch->first_record = next_record_;
    batch->offset = record.offset;
  }
  if (makes_array()) batch->body += batch->empty() ? '[' : ',';
  const auto skipped = static_cast<size_t>(record.content.data() - record.framed.data());
  batch->records.push_back({static_cast<uint32_t>(batch->body.size() + skipped),
                            static_cast<uint32_t>(record.content.size())});
  batch->body.append(record.framed);
  ++next_record_;
}

}  // namespace millrace::record
