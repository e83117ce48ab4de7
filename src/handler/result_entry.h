// How results lie in the files of the result cache: a segment is a header and then entries, one
// after the other, each with all it takes to know that it answers a row and is undamaged. Pure
// functions on bytes; result_cache.h is what uses them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::handler {

// What a row's result depends on, besides the numeric identity that a whole segment shares.
struct ResultKey {
  std::span<const int32_t> ids;
  std::span<const uint8_t> types;
  uint64_t hash = 0;  // of both, as RowBlock::Row has it
};

// Entries begin at multiples of this.
inline constexpr size_t kEntryAlignment = 8;

// The first bytes of a segment. They follow from what the segment is for, so that a segment is
// accepted when it begins with exactly these: nothing of a stranger's header is ever believed.
std::string segment_header(std::string_view identity, size_t values);

// Appends the entry of a row.
void append_entry(const ResultKey& key, std::span<const float> values, std::string* out);

// What an entry for `key` looks like up to its values; then read_entry compares all of it.
// *entry_bytes: the whole entry's size.
void make_key_image(const ResultKey& key, size_t values, std::string* image, size_t* entry_bytes);

// Where `entry` is the undamaged entry that `image` was made for: copies its values, true.
bool read_entry(std::string_view entry, std::string_view image, std::span<float> values);

struct FoundEntry {
  uint64_t hash = 0;
  size_t offset = 0;  // in the bytes scanned
};

struct Scan {
  size_t end = 0;        // what was scanned: whole entries, damaged ones that could be passed over
  bool damaged = false;  // what follows `end` is no entry; otherwise, the beginning of one
};

// Appends the undamaged entries of a segment's bytes, from the end of its header or of an entry.
Scan scan_entries(std::string_view bytes, std::vector<FoundEntry>* found);

}  // namespace millrace::handler
