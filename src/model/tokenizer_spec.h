// All that a tokenizer is made of, whichever files it came from: `tokenizer.json` and `vocab.txt`
// with its configuration say the same things in two languages.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"

namespace millrace::model {

// A token that is looked for in the text itself, before it is cut into words.
struct AddedToken {
  std::string content;
  bool single_word = false;  // not beside a word character
  bool lstrip = false;       // takes the white space before it along
  bool rstrip = false;
  bool normalized = false;  // looked for, normalised, in the normalised text
  bool special = false;

  bool operator==(const AddedToken&) const = default;
};

struct NormalizerSettings {
  bool clean_text = true;
  bool handle_chinese_chars = true;
  std::optional<bool> strip_accents;  // unset: as lowercase
  bool lowercase = true;

  bool strips_accents() const { return strip_accents.value_or(lowercase); }
};

// One step of the template that frames a text: special tokens, or the text itself.
struct TemplatePiece {
  enum class Kind { kSpecial, kFirst, kSecond };
  Kind kind = Kind::kSpecial;
  std::vector<int32_t> ids;  // of kSpecial
  uint8_t type_id = 0;
};

struct TokenizerSpec {
  using Vocabulary = std::unordered_map<std::string, uint32_t>;

  Vocabulary vocabulary;
  std::string unk_token = "[UNK]";
  std::string continuing_subword_prefix = "##";
  size_t max_input_chars_per_word = 100;
  NormalizerSettings normalizer;
  std::vector<std::pair<uint32_t, AddedToken>> added_tokens;  // by id, each id once
  std::vector<TemplatePiece> single;                          // holds kFirst once
  std::vector<TemplatePiece> pair;                            // holds kFirst and kSecond once
  size_t model_max_length = 0;
  bool truncate_left = false;
};

// Reads the tokenizer's files in `folder`. What AutoTokenizer makes of such a folder is the norm:
// `tokenizer.json` comes before `vocab.txt`, and what `tokenizer_config.json` states explicitly
// about lower-casing, accents and Chinese comes before both. Errors: not_found if there is neither
// file; invalid_argument naming the file and what is wrong with it.
Result<TokenizerSpec> read_tokenizer_files(const std::filesystem::path& folder);

// The same from the contents of the files; an empty `tokenizer_json` means that there is none, and
// so for the others.
struct TokenizerFiles {
  std::string tokenizer_json;
  std::string vocab_txt;
  std::string tokenizer_config;
  std::string special_tokens_map;
  std::string config;  // the model's, for max_position_embeddings
  bool has_tokenizer_json = false;
};
Result<TokenizerSpec> parse_tokenizer_files(const TokenizerFiles& files);

}  // namespace millrace::model
