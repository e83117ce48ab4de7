// Assembler: puts replies together into an output object: a prologue once, then one piece for each
// response (or, under JoinSource Input, for each joined record). A piece does not depend on those
// beside it, so parts that are joined in order give the same bytes as one pass.
#pragma once

#include <string>
#include <string_view>

#include "record/format.h"

namespace millrace::record {

class Assembler {
 public:
  explicit Assembler(AssembleWith with, std::string prologue_line = {});

  // Before the first part's bytes: the CSV header with its line end, or nothing.
  const std::string& prologue() const { return prologue_; }

  // AssembleWith None: the bytes as they are. Line: ended by one newline; a piece that has one gets
  // no second, and an empty response is an empty line, so that responses can still be counted.
  void append(std::string_view piece, std::string* out) const;

  // The same for a piece that the caller wrote to `out` itself, from `start` on.
  void end_piece(size_t start, std::string* out) const;

 private:
  AssembleWith with_;
  std::string prologue_;
};

}  // namespace millrace::record
