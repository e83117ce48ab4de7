// The typed members of an object: what is not as it must be becomes an error that names it.
#include "model/tokenizer_object.h"

#include <utility>

#include "base/limits.h"

namespace millrace::model {

using nlohmann::json;

const json* TokenizerObject::find(const char* key) const {
  const auto found = value.find(key);
  return found == value.end() || found->is_null() ? nullptr : &*found;
}

tl::unexpected<Error> TokenizerObject::wrong(std::string_view key, std::string_view what) const {
  return bad_tokenizer(where, fmt::format("'{}' must be {}", key, what));
}

Result<bool> TokenizerObject::boolean(const char* key) const {
  const json* found = find(key);
  if (found == nullptr || !found->is_boolean()) return wrong(key, "true or false");
  return found->get<bool>();
}

Result<std::string> TokenizerObject::string(const char* key) const {
  const json* found = find(key);
  if (found == nullptr || !found->is_string()) return wrong(key, "a string");
  return found->get<std::string>();
}

Result<uint64_t> TokenizerObject::unsigned_number(const char* key) const {
  const json* found = find(key);
  if (found == nullptr || !found->is_number_unsigned()) return wrong(key, "a whole number");
  return found->get<uint64_t>();
}

Result<TokenizerObject> TokenizerObject::object(const char* key) const {
  const json* found = find(key);
  if (found == nullptr || !found->is_object()) return wrong(key, "an object");
  return TokenizerObject{*found, fmt::format("{}: {}", where, key)};
}

Result<TokenizerObject> TokenizerObject::typed(const char* key, std::string_view type) const {
  const json* found = find(key);
  std::string actual = "null";
  if (found != nullptr && found->is_object()) {
    const auto name = found->find("type");
    actual = name != found->end() && name->is_string() ? name->get<std::string>() : "unnamed";
  }
  if (actual == type) return TokenizerObject{*found, fmt::format("{}: {}", where, key)};
  return bad_tokenizer(where,
                       fmt::format("the {} {} is not supported (only {} is)", key, actual, type));
}

Result<AddedToken> TokenizerObject::added_token(const std::optional<AddedToken>& by_default) const {
  AddedToken token = by_default.value_or(AddedToken{});
  MR_ASSIGN(token.content, string("content"));
  const std::pair<const char*, bool*> members[] = {{"single_word", &token.single_word},
                                                   {"lstrip", &token.lstrip},
                                                   {"rstrip", &token.rstrip},
                                                   {"normalized", &token.normalized},
                                                   {"special", &token.special}};
  for (const auto& [key, target] : members) {
    if (by_default && find(key) == nullptr) continue;
    MR_ASSIGN(*target, boolean(key));
  }
  return token;
}

Result<uint32_t> read_token_id(const json& value, std::string_view file, std::string_view token) {
  if (value.is_number_unsigned() && value.get<uint64_t>() < limits::kModelVocabularyMax) {
    return value.get<uint32_t>();
  }
  return bad_tokenizer(file, fmt::format("the id of '{}' must be a whole number below {}", token,
                                         limits::kModelVocabularyMax));
}

}  // namespace millrace::model
