// The whole of AssembleWith: one newline after a piece, or none.
#include "record/assembler.h"

#include <utility>

namespace millrace::record {

Assembler::Assembler(AssembleWith with, std::string prologue_line)
    : with_(with), prologue_(std::move(prologue_line)) {
  if (!prologue_.empty()) prologue_ += '\n';
}

void Assembler::append(std::string_view piece, std::string* out) const {
  const size_t start = out->size();
  out->append(piece);
  end_piece(start, out);
}

void Assembler::end_piece(size_t start, std::string* out) const {
  if (with_ != AssembleWith::kLine) return;
  if (out->size() == start || out->back() != '\n') out->push_back('\n');
}

}  // namespace millrace::record
