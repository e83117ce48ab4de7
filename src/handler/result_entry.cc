// An entry: Head | ids, in 16 bits where all fit | token-type ids, unless all are 0 | values, with
// zeros that align. Numbers lie as the machine has them: a segment of another byte order has
// another header.
#include "handler/result_entry.h"

#include <algorithm>
#include <cstring>

#include "base/limits.h"
#include "base/xxh3.h"

namespace millrace::handler {

namespace {

constexpr uint32_t kByteOrder = 0x01020304;
constexpr uint32_t kNarrowIds = 1;
constexpr uint32_t kHasTypes = 2;

struct Head {
  uint32_t bytes = 0;  // of the entry
  uint32_t length = 0;
  uint64_t hash = 0;
  uint32_t flags = 0;
  uint32_t head_check = 0;  // of the fields above: whether `bytes` leads to the next entry
  uint64_t body_check = 0;  // of all that follows the head, seeded with the head's check
};
static_assert(sizeof(Head) == 32);
constexpr size_t kCheckedHeadBytes = offsetof(Head, head_check);

uint32_t head_check(const Head& head) {
  return static_cast<uint32_t>(xxh3_64(&head, kCheckedHeadBytes, kByteOrder));
}

uint64_t body_check(const Head& head, std::string_view entry) {
  const std::string_view body = entry.substr(sizeof(Head));
  return xxh3_64(body.data(), body.size(), head.head_check);
}

Head head_of(std::string_view entry) {
  Head head;
  std::memcpy(&head, entry.data(), sizeof head);
  return head;
}

size_t aligned(size_t bytes, size_t alignment) {
  return (bytes + alignment - 1) / alignment * alignment;
}

bool plausible(const Head& head) {
  return head.bytes > sizeof(Head) && head.bytes <= limits::kResultEntryBytesMax &&
         head.bytes % kEntryAlignment == 0 && head.head_check == head_check(head);
}

void append_key(const ResultKey& key, uint32_t flags, std::string* out) {
  const size_t length = key.ids.size();
  size_t at = out->size();
  if ((flags & kNarrowIds) != 0) {
    out->resize(at + length * sizeof(uint16_t));
    for (const int32_t id : key.ids) {
      const auto narrow = static_cast<uint16_t>(id);
      std::memcpy(out->data() + at, &narrow, sizeof narrow);
      at += sizeof narrow;
    }
  } else {
    out->append(reinterpret_cast<const char*>(key.ids.data()), key.ids.size_bytes());
  }
  if ((flags & kHasTypes) != 0) {
    out->append(reinterpret_cast<const char*>(key.types.data()), key.types.size());
  }
}

}  // namespace

std::string segment_header(std::string_view identity, size_t values) {
  // Another layout, or another hash in RowBlock, is another first line.
  std::string header = "millrace results 1\n";
  const auto number = [&](uint32_t n) { header.append(reinterpret_cast<const char*>(&n), 4); };
  number(kByteOrder);
  number(static_cast<uint32_t>(values));
  number(static_cast<uint32_t>(identity.size()));
  header += identity;
  header.resize(aligned(header.size(), kEntryAlignment), '\0');
  return header;
}

void make_key_image(const ResultKey& key, size_t values, std::string* image, size_t* entry_bytes) {
  uint32_t flags = 0;
  const bool narrow = std::all_of(key.ids.begin(), key.ids.end(), [](int32_t id) {
    return static_cast<uint32_t>(id) <= UINT16_MAX;
  });
  if (narrow) flags |= kNarrowIds;
  if (std::any_of(key.types.begin(), key.types.end(), [](uint8_t type) { return type != 0; })) {
    flags |= kHasTypes;
  }
  image->assign(sizeof(Head), '\0');
  append_key(key, flags, image);
  image->resize(aligned(image->size(), sizeof(float)), '\0');
  *entry_bytes = aligned(image->size() + values * sizeof(float), kEntryAlignment);
  Head head;
  head.bytes = static_cast<uint32_t>(*entry_bytes);
  head.length = static_cast<uint32_t>(key.ids.size());
  head.hash = key.hash;
  head.flags = flags;
  head.head_check = head_check(head);
  std::memcpy(image->data(), &head, sizeof head);
}

void append_entry(const ResultKey& key, std::span<const float> values, std::string* out) {
  std::string image;
  size_t entry_bytes = 0;
  make_key_image(key, values.size(), &image, &entry_bytes);
  image.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
  image.resize(entry_bytes, '\0');
  Head head = head_of(image);
  head.body_check = body_check(head, image);
  std::memcpy(image.data(), &head, sizeof head);
  *out += image;
}

bool read_entry(std::string_view entry, std::string_view image, std::span<float> values) {
  if (entry.size() < image.size() + values.size_bytes()) return false;
  constexpr size_t kUnknown = offsetof(Head, body_check);
  if (entry.substr(0, kUnknown) != image.substr(0, kUnknown)) return false;
  const std::string_view key = image.substr(sizeof(Head));
  if (entry.substr(sizeof(Head), key.size()) != key) return false;
  const Head head = head_of(entry);
  if (head.bytes != entry.size() || head.body_check != body_check(head, entry)) return false;
  std::memcpy(values.data(), entry.data() + image.size(), values.size_bytes());
  return true;
}

Scan scan_entries(std::string_view bytes, std::vector<FoundEntry>* found) {
  Scan scan;
  while (bytes.size() - scan.end >= sizeof(Head)) {
    const Head head = head_of(bytes.substr(scan.end));
    if (!plausible(head)) {
      scan.damaged = true;
      break;
    }
    if (head.bytes > bytes.size() - scan.end) break;
    if (head.body_check == body_check(head, bytes.substr(scan.end, head.bytes))) {
      found->push_back({head.hash, scan.end});
    }
    scan.end += head.bytes;
  }
  return scan;
}

}  // namespace millrace::handler
