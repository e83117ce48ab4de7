// Reading the members of a JSON object of the tokenizer's files, with errors that name file and
// key.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/tokenizer_spec.h"

namespace millrace::model {

constexpr std::string_view kTokenizerJson = "tokenizer.json";

inline tl::unexpected<Error> bad_tokenizer(std::string_view file, std::string_view problem) {
  return fail(invalid_argument(fmt::format("{}: {}", file, problem)));
}

struct TokenizerObject {
  const nlohmann::json& value;
  std::string where;  // file, and the place in it

  // Null where the member is missing or null.
  const nlohmann::json* find(const char* key) const;
  tl::unexpected<Error> wrong(std::string_view key, std::string_view what) const;
  Result<bool> boolean(const char* key) const;
  Result<std::string> string(const char* key) const;
  Result<uint64_t> unsigned_number(const char* key) const;
  Result<TokenizerObject> object(const char* key) const;
  // An object whose member "type" is `type`, the only one that is built.
  Result<TokenizerObject> typed(const char* key, std::string_view type) const;
  // `by_default` stands in for a member that is not there; without it the member must be there.
  Result<AddedToken> added_token(const std::optional<AddedToken>& by_default) const;
};

Result<uint32_t> read_token_id(const nlohmann::json& value, std::string_view file,
                               std::string_view token);

// Reads tokenizer.json into *spec, all but the added tokens, which the caller merges with those of
// the other files. `has_template` receives whether there is a post-processor.
Result<std::vector<AddedToken>> read_tokenizer_json(const TokenizerObject& root,
                                                    TokenizerSpec* spec, bool* has_template);

// BERT's own frame: [CLS] A [SEP], and B [SEP] of type 1.
void set_bert_template(uint32_t cls, uint32_t sep, TokenizerSpec* spec);

}  // namespace millrace::model
