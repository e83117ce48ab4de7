// For tests of this room: splits a whole object in blocks of one size, and makes random input.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "record/splitter.h"

namespace millrace::record {

struct Split {
  std::vector<std::string> framed;
  std::vector<std::string> content;
  std::vector<uint64_t> offsets;
  std::string error;  // empty: the object was read to its end
};

inline Split split_all(const DataFormat& format, std::string_view object, size_t block = 4096,
                       uint64_t start_offset = 0, uint64_t record_bytes_max = 100'000'000) {
  const auto splitter = make_splitter(format, start_offset, record_bytes_max);
  Split split;
  size_t fed = 0;
  for (bool whole = false;;) {
    Record record;
    const auto found = splitter->next(&record);
    if (!found) {
      split.error = found.error().message;
      return split;
    }
    if (*found) {
      split.framed.emplace_back(record.framed);
      split.content.emplace_back(record.content);
      split.offsets.push_back(record.offset);
      EXPECT_GE(splitter->position(), record.offset + record.framed.size());
      continue;
    }
    if (whole) return split;
    // A copy of its own, so that a sanitizer sees views that outlive it.
    const std::string bytes(object.substr(fed, std::min(block, object.size() - fed)));
    fed += bytes.size();
    splitter->feed(bytes);
    whole = fed == object.size();
    if (whole) splitter->finish();
  }
}

// Up to `length_max` characters of `alphabet`.
inline std::string random_bytes(std::mt19937& random, std::string_view alphabet,
                                size_t length_max) {
  std::string bytes(random() % (length_max + 1), '\0');
  for (char& c : bytes) c = alphabet[random() % alphabet.size()];
  return bytes;
}

}  // namespace millrace::record
