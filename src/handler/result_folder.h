// The result cache's folder: below it one folder for each numeric identity, in that the segments,
// files that only ever grow. Who appends to a segment holds its lock, and the folder's own lock is
// held while segments are made and removed, so that any number of processes share a folder and
// what they keep stays within the bound.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace millrace::handler {

struct SegmentFile {
  std::filesystem::path path;
  UniqueFd fd;
  uint64_t size = 0;
};

class ResultFolder {
 public:
  // Makes `root` and the folder of the identity. Fails where `root` cannot be made or is no folder.
  static Result<ResultFolder> open(const std::filesystem::path& root, const std::string& identity,
                                   size_t values, uint64_t bytes_max);

  // The identity's segments that can be read and begin as they should, the newest first.
  std::vector<SegmentFile> segments() const;

  // A segment to append to, locked until unlock(): the first of `partial` (segments of which this
  // process knows all there is, up to `size`) that nobody else appends to or has appended to; else
  // a new one. Makes room by removing the segments that were used longest ago, of any identity.
  // Fails where there is no room, or where the file system refuses.
  Result<SegmentFile> writable(const std::vector<const SegmentFile*>& partial) const;
  static void unlock(const SegmentFile& segment);

  // Segments are begun anew when they are this large.
  uint64_t segment_bytes() const { return segment_bytes_; }
  uint64_t header_bytes() const { return header_.size(); }

 private:
  ResultFolder() = default;
  Status make_room(const std::filesystem::path& kept) const;
  Result<SegmentFile> adopt(const SegmentFile& partial) const;
  Result<SegmentFile> create() const;

  std::filesystem::path root_;
  std::filesystem::path folder_;
  std::string header_;
  uint64_t bytes_max_ = 0;
  uint64_t segment_bytes_ = 0;
};

// Writes all of `bytes` at `offset`.
Status write_at(int fd, std::string_view bytes, uint64_t offset);

}  // namespace millrace::handler
