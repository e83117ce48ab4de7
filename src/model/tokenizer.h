// WordPiece tokenization with ids identical to Hugging Face `tokenizers` for every valid UTF-8
// input: clean text, spaces around CJK, NFD and drop Mn, lower-case, split, longest match first.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace millrace::model {

struct TokenizerSpec;

// One text (or pair) as the encoder reads it, special tokens included.
struct Encoding {
  std::vector<int32_t> ids;
  std::vector<uint8_t> token_type_ids;  // same length as ids; 1 for the second text of a pair
  bool truncated = false;
};

class Tokenizer {
 public:
  // Reads `tokenizer.json`, or `vocab.txt` + `tokenizer_config.json` (+ `special_tokens_map.json`),
  // in `folder`. Errors name the file and what is wrong with it (invalid_argument).
  static Result<std::shared_ptr<const Tokenizer>> load(const std::filesystem::path& folder);

  // The same from what such files say.
  static Result<std::shared_ptr<const Tokenizer>> from_spec(const TokenizerSpec& spec);

  // The longest sequence the folder allows, special tokens included: tokenizer_config.json's
  // model_max_length, else config.json's positions, else 512.
  size_t model_max_length() const;
  // One more than the largest id that encode can give.
  size_t vocab_size() const;

  // Replaces *out (its buffers are reused; no allocation once they are large enough). `text` must
  // be valid UTF-8. At most `max_length` ids, [CLS] and [SEP] kept (as HF truncation
  // "longest_first"). Thread-safe.
  void encode(std::string_view text, size_t max_length, Encoding* out) const;
  void encode_pair(std::string_view first, std::string_view second, size_t max_length,
                   Encoding* out) const;

  ~Tokenizer();

 private:
  struct Impl;
  explicit Tokenizer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::model
