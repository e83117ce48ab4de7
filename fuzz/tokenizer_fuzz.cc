// The tokenizer's files and the texts both come from anywhere: files are refused or give a
// tokenizer that keeps every promise (length, ids within the vocabulary, types) for any bytes as
// text. Input: fields separated by byte 0x1E: "json" or "vocab", tokenizer.json or vocab.txt,
// tokenizer_config.json, special_tokens_map.json, first text, second text.
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "model/tokenizer.h"
#include "model/tokenizer_spec.h"

namespace {

using millrace::model::Encoding;
using millrace::model::Tokenizer;

enum Field { kKind, kTokens, kConfig, kSpecialTokensMap, kFirst, kSecond, kFields };

std::array<std::string, kFields> split(std::string_view input) {
  std::array<std::string, kFields> fields;
  for (std::string& field : fields) {
    const size_t end = input.find('\x1E');
    field = input.substr(0, end);
    if (end == std::string_view::npos) break;
    input.remove_prefix(end + 1);
  }
  return fields;
}

void check(const Encoding& encoding, const Tokenizer& tokenizer, size_t max_length) {
  MR_CHECK(encoding.ids.size() <= max_length);
  MR_CHECK(encoding.token_type_ids.size() == encoding.ids.size());
  for (const int32_t id : encoding.ids) {
    MR_CHECK(id >= 0 && static_cast<size_t>(id) < tokenizer.vocab_size());
  }
  for (const uint8_t type : encoding.token_type_ids) MR_CHECK(type <= 1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto fields = split({reinterpret_cast<const char*>(data), size});
  millrace::model::TokenizerFiles files;
  files.has_tokenizer_json = fields[kKind] == "json";
  (files.has_tokenizer_json ? files.tokenizer_json : files.vocab_txt) = fields[kTokens];
  files.tokenizer_config = fields[kConfig];
  files.special_tokens_map = fields[kSpecialTokensMap];
  const auto spec = millrace::model::parse_tokenizer_files(files);
  if (!spec) {
    MR_CHECK(!spec.error().message.empty());
    return 0;
  }
  const auto tokenizer = Tokenizer::from_spec(*spec);
  if (!tokenizer) {
    MR_CHECK(!tokenizer.error().message.empty());
    return 0;
  }
  Encoding encoding;
  for (const size_t max_length : {size_t{0}, size_t{2}, size_t{7}, size_t{1} << 40}) {
    (*tokenizer)->encode(fields[kFirst], max_length, &encoding);
    check(encoding, **tokenizer, max_length);
    const bool whole = max_length == size_t{1} << 40;
    MR_CHECK(!whole || (!encoding.truncated && !encoding.ids.empty()));
    (*tokenizer)->encode_pair(fields[kFirst], fields[kSecond], max_length, &encoding);
    check(encoding, **tokenizer, max_length);
  }
  return 0;
}
