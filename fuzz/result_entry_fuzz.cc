// A segment of the result cache comes from a disk, whatever became of it there: the scan stays
// within it, ends, and finds only entries that read back; an entry reads back only as its own key.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "handler/result_entry.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace handler = millrace::handler;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  std::vector<handler::FoundEntry> found;
  const handler::Scan scan = handler::scan_entries(bytes, &found);
  MR_CHECK(scan.end <= size && scan.end % handler::kEntryAlignment == 0);
  size_t last = 0;
  for (const handler::FoundEntry& entry : found) {
    MR_CHECK(entry.offset < scan.end && (last == 0 || entry.offset > last));
    last = entry.offset;
  }

  // The input as a key: its entry is found and read, and as nothing else.
  std::vector<int32_t> ids;
  std::vector<uint8_t> types;
  for (size_t i = 0; i < size && i < 64; ++i) {
    ids.push_back(data[i] * (data[0] % 2 == 0 ? 1 : 1000));
    types.push_back(data[i] / 128);
  }
  const float values[2] = {1, 2};
  std::string entry;
  handler::append_entry({ids, types, size}, values, &entry);
  found.clear();
  MR_CHECK(handler::scan_entries(entry, &found).end == entry.size());
  MR_CHECK(found.size() == 1 && found[0].hash == size);
  std::string image;
  size_t entry_bytes = 0;
  float read[2] = {};
  handler::make_key_image({ids, types, size}, 2, &image, &entry_bytes);
  MR_CHECK(entry_bytes == entry.size() && handler::read_entry(entry, image, read));
  MR_CHECK(read[0] == 1 && read[1] == 2);
  MR_CHECK(bytes == entry || !handler::read_entry(bytes, image, read));
  ids.push_back(1);
  types.push_back(0);
  handler::make_key_image({ids, types, size}, 2, &image, &entry_bytes);
  MR_CHECK(!handler::read_entry(entry, image, read));
  return 0;
}
