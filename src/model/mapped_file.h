// A file mapped read-only into memory: weights are read from the page cache without a copy, and the
// pages that nobody needs any more can be given back. A file that is overwritten in place while it
// is mapped changes under the reader, as with every mapping; models are replaced by rename.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

#include "base/result.h"

namespace millrace::model {

class MappedFile {
 public:
  // not_found, or the errno of what failed. Only regular files (a FIFO would block for ever).
  static Result<MappedFile> open(const std::filesystem::path& path);

  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return {data_, size_}; }

  // Tells the system that the whole file will be read soon.
  void prefetch() const;
  // Gives the memory of all pages back; they are read again from the page cache when touched.
  void release_pages() const;

 private:
  MappedFile(const std::byte* data, size_t size) : data_(data), size_(size) {}

  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

// The whole of a small text file (configuration, model card), refused above `bytes_max`.
Result<std::string> read_text_file(const std::filesystem::path& path, size_t bytes_max);

}  // namespace millrace::model
