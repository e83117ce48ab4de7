// Everything is found from the directory at the file's end; every place that it names is checked
// before it is looked at.
#include "model/torch_zip.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "base/limits.h"

namespace millrace::model {
namespace {

constexpr uint32_t kEndMagic = 0x06054b50;
constexpr uint32_t kEnd64Magic = 0x06064b50;
constexpr uint32_t kLocator64Magic = 0x07064b50;
constexpr uint32_t kEntryMagic = 0x02014b50;
constexpr uint32_t kLocalMagic = 0x04034b50;
constexpr size_t kEndBytes = 22, kEntryBytes = 46, kLocalBytes = 30, kLocator64Bytes = 20;
constexpr size_t kEnd64Bytes = 56;
constexpr size_t kCommentBytesMax = 65535;
constexpr uint16_t kZip64Field = 1;
constexpr uint32_t kIn64 = 0xffffffff;
constexpr uint16_t kCountIn64 = 0xffff;

// Little-endian numbers at checked places.
class Bytes {
 public:
  explicit Bytes(std::span<const std::byte> data) : data_(data) {}

  size_t size() const { return data_.size(); }
  bool has(uint64_t at, uint64_t count) const {
    return at <= data_.size() && count <= data_.size() - at;
  }
  // REQUIRES: has(at, sizeof(T)).
  template <class T>
  T number(uint64_t at) const {
    T value = 0;
    for (size_t i = 0; i < sizeof(T); ++i) {
      value = static_cast<T>(value | static_cast<T>(std::to_integer<T>(data_[at + i]) << (8 * i)));
    }
    return value;
  }
  bool starts(uint64_t at, uint32_t magic, uint64_t count) const {
    return has(at, count) && number<uint32_t>(at) == magic;
  }
  std::span<const std::byte> part(uint64_t at, uint64_t count) const {
    return data_.subspan(at, count);
  }
  std::string_view text(uint64_t at, uint64_t count) const {
    return {reinterpret_cast<const char*>(data_.data()) + at, count};
  }

 private:
  std::span<const std::byte> data_;
};

tl::unexpected<Error> damaged(std::string_view why) {
  return fail(invalid_argument(fmt::format("its zip directory is damaged: {}", why)));
}

struct Directory {
  uint64_t at = 0;
  uint64_t entries = 0;
};

std::optional<uint64_t> find_end(const Bytes& file) {
  if (file.size() < kEndBytes) return std::nullopt;
  const size_t last = file.size() - kEndBytes;
  const size_t first = last > kCommentBytesMax ? last - kCommentBytesMax : 0;
  for (size_t at = last + 1; at-- > first;) {
    if (file.starts(at, kEndMagic, kEndBytes)) return at;
  }
  return std::nullopt;
}

Result<Directory> find_directory(const Bytes& file) {
  const std::optional<uint64_t> end = find_end(file);
  if (!end) return fail(invalid_argument("it is no zip file, or its end is missing"));
  Directory directory;
  directory.entries = file.number<uint16_t>(*end + 10);
  directory.at = file.number<uint32_t>(*end + 16);
  if (directory.entries != kCountIn64 && directory.at != kIn64) return directory;
  if (*end < kLocator64Bytes ||
      !file.starts(*end - kLocator64Bytes, kLocator64Magic, kLocator64Bytes)) {
    return damaged("no zip64 locator");
  }
  const auto end64 = file.number<uint64_t>(*end - kLocator64Bytes + 8);
  if (!file.starts(end64, kEnd64Magic, kEnd64Bytes)) return damaged("no zip64 end");
  directory.entries = file.number<uint64_t>(end64 + 32);
  directory.at = file.number<uint64_t>(end64 + 48);
  return directory;
}

struct Entry {
  std::string name;
  uint64_t stored = 0;  // bytes in the file
  uint64_t size = 0;    // bytes when unpacked
  uint64_t local = 0;   // where its header lies
};

// The numbers that did not fit stand in an extra field, in a fixed order.
Status take_zip64(const Bytes& file, uint64_t at, uint64_t count, Entry* entry) {
  while (count >= 4) {
    const auto id = file.number<uint16_t>(at);
    const auto size = file.number<uint16_t>(at + 2);
    if (size > count - 4) return damaged("an extra field reaches beyond its entry");
    uint64_t value = at + 4;
    const uint64_t end = value + size;
    for (uint64_t* number : {&entry->size, &entry->stored, &entry->local}) {
      if (id != kZip64Field || *number != kIn64) continue;
      if (end - value < 8) return damaged("a zip64 field is too short");
      *number = file.number<uint64_t>(value);
      value += 8;
    }
    at = end;
    count -= 4 + size;
  }
  return {};
}

// Reads the directory entry at *at and moves on to the next.
Result<Entry> read_entry(const Bytes& file, uint64_t* at) {
  if (!file.starts(*at, kEntryMagic, kEntryBytes)) return damaged("an entry is missing");
  const auto method = file.number<uint16_t>(*at + 10);
  const uint64_t name = file.number<uint16_t>(*at + 28);
  const uint64_t extra = file.number<uint16_t>(*at + 30);
  const uint64_t comment = file.number<uint16_t>(*at + 32);
  Entry entry;
  entry.stored = file.number<uint32_t>(*at + 20);
  entry.size = file.number<uint32_t>(*at + 24);
  entry.local = file.number<uint32_t>(*at + 42);
  if (!file.has(*at + kEntryBytes, name + extra + comment)) return damaged("an entry is cut off");
  entry.name = file.text(*at + kEntryBytes, name);
  MR_TRY(take_zip64(file, *at + kEntryBytes + name, extra, &entry));
  *at += kEntryBytes + name + extra + comment;
  if (method != 0 || entry.stored != entry.size) {
    return fail(invalid_argument(
        fmt::format("its entry {} is compressed, which torch.save never does", entry.name)));
  }
  return entry;
}

Result<std::span<const std::byte>> bytes_of(const Bytes& file, const Entry& entry) {
  if (!file.starts(entry.local, kLocalMagic, kLocalBytes)) return damaged("no header at an entry");
  const uint64_t begin = entry.local + kLocalBytes + file.number<uint16_t>(entry.local + 26) +
                         file.number<uint16_t>(entry.local + 28);
  if (!file.has(begin, entry.size)) return damaged("an entry reaches beyond the file");
  return file.part(begin, entry.size);
}

}  // namespace

Result<ZipEntries> read_stored_zip(std::span<const std::byte> data) {
  const Bytes file(data);
  MR_ASSIGN(const Directory directory, find_directory(file));
  if (directory.entries > limits::kModelEntriesMax) return damaged("too many entries");
  ZipEntries entries;
  uint64_t at = directory.at;
  for (uint64_t i = 0; i < directory.entries; ++i) {
    MR_ASSIGN(const Entry entry, read_entry(file, &at));
    MR_ASSIGN(const auto bytes, bytes_of(file, entry));
    if (!entries.emplace(entry.name, bytes).second) {
      return damaged("two entries of the name " + entry.name);
    }
  }
  return entries;
}

}  // namespace millrace::model
