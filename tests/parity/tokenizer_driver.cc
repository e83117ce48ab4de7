// Speaks the tokenizer over pipes, length-prefixed, so that a script can feed it any bytes (line
// ends too) and compare with another library. Request: u32 max_length (0: the folder's own), u32
// bytes of the first text, u32 bytes of the second (0xFFFFFFFF: none), the texts. Reply: u32 n, u32
// whether truncated, n x i32 ids, n x u8 token types. All numbers little-endian, as the machine has
// them.
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <string>

#include "model/tokenizer.h"

namespace {

constexpr uint32_t kNone = 0xFFFFFFFF;

bool read_exactly(void* target, size_t size) {
  return std::fread(target, 1, size, stdin) == size;
}

void write_all(const void* source, size_t size) {
  std::fwrite(source, 1, size, stdout);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: tokenizer_driver FOLDER\n";
    return 2;
  }
  const auto tokenizer = millrace::model::Tokenizer::load(argv[1]);
  if (!tokenizer) {
    std::cerr << tokenizer.error().message << "\n";
    return 1;
  }
  millrace::model::Encoding encoding;
  std::string texts[2];
  uint32_t header[3];
  while (read_exactly(header, sizeof header)) {
    const bool is_pair = header[2] != kNone;
    texts[0].resize(header[1]);
    texts[1].resize(is_pair ? header[2] : 0);
    if (!read_exactly(texts[0].data(), texts[0].size())) return 1;
    if (!read_exactly(texts[1].data(), texts[1].size())) return 1;
    const size_t max_length = header[0] != 0 ? header[0] : (*tokenizer)->model_max_length();
    if (is_pair) {
      (*tokenizer)->encode_pair(texts[0], texts[1], max_length, &encoding);
    } else {
      (*tokenizer)->encode(texts[0], max_length, &encoding);
    }
    const uint32_t reply[2] = {static_cast<uint32_t>(encoding.ids.size()), encoding.truncated};
    write_all(reply, sizeof reply);
    write_all(encoding.ids.data(), encoding.ids.size() * sizeof(int32_t));
    write_all(encoding.token_type_ids.data(), encoding.token_type_ids.size());
    std::fflush(stdout);
  }
  return 0;
}
