// From the files of a model folder to a TokenizerSpec. The rules follow what AutoTokenizer does
// with such a folder, so they are stated here one by one rather than derived from each other.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <map>
#include <system_error>
#include <utility>

#include "base/limits.h"
#include "model/mapped_file.h"
#include "model/strict_json.h"
#include "model/tokenizer_object.h"
#include "model/tokenizer_spec.h"
#include "model/tokenizer_utf8.h"
#include "model/unicode_tables.h"

namespace millrace::model {
namespace {

using nlohmann::json;

constexpr const char* kVocabTxt = "vocab.txt";
constexpr const char* kTokenizerConfig = "tokenizer_config.json";
constexpr const char* kSpecialTokensMap = "special_tokens_map.json";
constexpr const char* kConfig = "config.json";

// Transformers writes 1e30 for "no limit"; nothing real comes near this.
constexpr double kUnlimitedLength = 1e9;
// BERT's own, where the folder does not say.
constexpr size_t kDefaultLength = 512;

// --- vocab.txt: a token a line, its id is the number of the line ---

std::string_view trim_end(std::string_view line) {
  while (!line.empty()) {
    size_t start = line.size() - 1;
    while (start > 0 && is_utf8_continuation(line[start])) --start;
    size_t at = start;
    if ((unicode::code_point(next_code_point(line, &at)).flags & unicode::kWhiteSpace) == 0) break;
    line.remove_suffix(line.size() - start);
  }
  return line;
}

Status read_vocabulary_lines(std::string_view text, TokenizerSpec* spec) {
  if (const size_t at = invalid_utf8_at(text); at != std::string_view::npos) {
    return bad_tokenizer(kVocabTxt, fmt::format("not valid UTF-8 at byte {}", at));
  }
  uint32_t id = 0;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    // A token that stands there twice has the later id.
    spec->vocabulary[std::string(trim_end(text.substr(0, end)))] = id++;
    text.remove_prefix(std::min(end + 1, text.size()));
    if (id >= limits::kModelVocabularyMax) return bad_tokenizer(kVocabTxt, "too many lines");
  }
  return {};
}

// --- tokenizer_config.json and special_tokens_map.json ---

AddedToken special_token(std::string content) {
  AddedToken token;
  token.content = std::move(content);
  token.special = true;
  return token;
}

struct NamedTokens {
  // What transformers assumes for a BERT tokenizer where no file names a token.
  AddedToken unk = special_token("[UNK]");
  AddedToken sep = special_token("[SEP]");
  AddedToken pad = special_token("[PAD]");
  AddedToken cls = special_token("[CLS]");
  AddedToken mask = special_token("[MASK]");
  std::vector<std::string> named;  // contents that a file states
  std::vector<AddedToken> extra;

  std::vector<std::pair<const char*, AddedToken*>> all() {
    return {{"unk_token", &unk},
            {"sep_token", &sep},
            {"pad_token", &pad},
            {"cls_token", &cls},
            {"mask_token", &mask}};
  }
};

Result<AddedToken> read_special_token(const json& value, const TokenizerObject& from,
                                      const char* key) {
  AddedToken token = special_token("");
  if (value.is_object()) {
    MR_ASSIGN(token,
              (TokenizerObject{value, fmt::format("{}: {}", from.where, key)}.added_token(token)));
    token.special = true;
    return token;
  }
  if (!value.is_string()) return from.wrong(key, "a token");
  token.content = value.get<std::string>();
  return token;
}

Status read_named_tokens(const TokenizerObject& from, NamedTokens* tokens) {
  for (const auto& [key, token] : tokens->all()) {
    const json* value = from.find(key);
    if (value == nullptr) continue;
    MR_ASSIGN(*token, read_special_token(*value, from, key));
    tokens->named.push_back(token->content);
  }
  for (const char* key : {"extra_special_tokens", "additional_special_tokens"}) {
    const json* list = from.find(key);
    if (list == nullptr || list->empty()) continue;
    if (!list->is_structured()) return from.wrong(key, "a list of tokens");
    for (const json& value : *list) {
      MR_ASSIGN(AddedToken token, read_special_token(value, from, key));
      tokens->named.push_back(token.content);
      tokens->extra.push_back(std::move(token));
    }
    break;  // the second is the old name of the first
  }
  return {};
}

// `added_tokens_decoder`: tokens by their ids as strings.
Result<std::vector<AddedToken>> read_added_tokens_decoder(const TokenizerObject& config) {
  std::vector<std::pair<uint64_t, AddedToken>> by_id;
  MR_ASSIGN(const TokenizerObject decoder, config.object("added_tokens_decoder"));
  for (const auto& [key, value] : decoder.value.items()) {
    uint64_t id = 0;
    const char* const end = key.data() + key.size();
    const auto parsed = std::from_chars(key.data(), end, id);
    const bool is_number = parsed.ec == std::errc{} && parsed.ptr == end;
    if (!is_number || !value.is_object()) return decoder.wrong(key.c_str(), "an id and its token");
    AddedToken by_default;
    const auto special = value.find("special");
    by_default.normalized = special == value.end() || *special != true;
    MR_ASSIGN(AddedToken token, (TokenizerObject{value, decoder.where}.added_token(by_default)));
    by_id.emplace_back(id, std::move(token));
  }
  std::sort(by_id.begin(), by_id.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<AddedToken> tokens;
  for (auto& [number, token] : by_id) tokens.push_back(std::move(token));
  return tokens;
}

// What is stated there overrides tokenizer.json, as transformers does; but a tokenizer whose class
// is the general one has no such settings.
Status read_settings(const TokenizerObject& config, NormalizerSettings* settings) {
  const json* tokenizer_class = config.find("tokenizer_class");
  if (tokenizer_class != nullptr &&
      (*tokenizer_class == "PreTrainedTokenizerFast" || *tokenizer_class == "TokenizersBackend")) {
    return {};
  }
  if (config.find("do_lower_case") != nullptr) {
    MR_ASSIGN(settings->lowercase, config.boolean("do_lower_case"));
  }
  if (config.find("tokenize_chinese_chars") != nullptr) {
    MR_ASSIGN(settings->handle_chinese_chars, config.boolean("tokenize_chinese_chars"));
  }
  if (config.value.contains("strip_accents")) settings->strip_accents.reset();  // null is a value
  if (config.find("strip_accents") != nullptr) {
    MR_ASSIGN(settings->strip_accents, config.boolean("strip_accents"));
  }
  return {};
}

// --- lengths ---

Result<size_t> read_model_max_length(const TokenizerObject& config, const TokenizerObject& model) {
  const json* stated = config.find("model_max_length");
  if (stated != nullptr) {
    if (!stated->is_number()) return config.wrong("model_max_length", "a number");
    const double length = stated->get<double>();
    if (!(length >= 1)) return config.wrong("model_max_length", "at least 1");
    if (length < kUnlimitedLength) return static_cast<size_t>(length);
  }
  // Not said, or "no limit": then the model's positions are the limit.
  const json* positions = model.find("max_position_embeddings");
  if (positions == nullptr || !positions->is_number_unsigned() || *positions == 0) {
    return kDefaultLength;
  }
  return static_cast<size_t>(std::min<uint64_t>(positions->get<uint64_t>(), kDefaultLength * 128));
}

Result<bool> read_truncate_left(const TokenizerObject& config) {
  const json* side = config.find("truncation_side");
  if (side == nullptr || *side == "right") return false;
  if (*side == "left") return true;
  return config.wrong("truncation_side", "left or right");
}

// --- ids of added tokens ---

// Numbers added tokens as the library does: the vocabulary's id, or the next after all others.
class AddedVocabulary {
 public:
  explicit AddedVocabulary(const TokenizerSpec::Vocabulary& vocabulary) : vocabulary_(vocabulary) {}

  const uint32_t* find(const std::string& content) const {
    if (const auto added = ids_.find(content); added != ids_.end()) return &added->second;
    const auto found = vocabulary_.find(content);
    return found == vocabulary_.end() ? nullptr : &found->second;
  }
  bool contains(const std::string& content) const { return ids_.count(content) != 0; }

  void add(const std::vector<AddedToken>& tokens) {
    auto next = static_cast<uint32_t>(vocabulary_.size());
    if (!tokens_.empty()) next = std::max(next, tokens_.rbegin()->first + 1);
    for (const AddedToken& token : tokens) {
      if (token.content.empty()) continue;
      const uint32_t* known = find(token.content);
      const uint32_t id = known != nullptr ? *known : next++;
      ids_[token.content] = id;
      tokens_[id] = token;
    }
  }

  std::vector<std::pair<uint32_t, AddedToken>> tokens() const {
    return {tokens_.begin(), tokens_.end()};
  }

 private:
  const TokenizerSpec::Vocabulary& vocabulary_;
  std::map<std::string, uint32_t> ids_;
  std::map<uint32_t, AddedToken> tokens_;
};

// The special tokens that are not yet among the added ones. A name that only transformers' default
// gives, and that the vocabulary lacks, stays out: its id would lie beyond the model's embeddings.
std::vector<AddedToken> special_tokens_to_add(NamedTokens* named, bool has_defaults,
                                              const AddedVocabulary& added) {
  std::vector<AddedToken> tokens;
  const auto consider = [&](const AddedToken& token) {
    const bool stated = std::count(named->named.begin(), named->named.end(), token.content) != 0;
    const bool known = has_defaults && added.find(token.content) != nullptr;
    if (!added.contains(token.content) && (stated || known)) tokens.push_back(token);
  };
  for (const auto& [key, token] : named->all()) consider(*token);
  for (const AddedToken& token : named->extra) consider(token);
  return tokens;
}

Result<json> parse_object(const std::string& text, std::string_view name) {
  if (text.empty()) return json::object();
  MR_ASSIGN(json document, parse_strict_json(text, name));
  if (!document.is_object()) return bad_tokenizer(name, "not a JSON object");
  return document;
}

Result<uint32_t> id_of_special(const AddedVocabulary& added, const AddedToken& token,
                               std::string_view file) {
  const uint32_t* id = added.find(token.content);
  if (id != nullptr) return *id;
  return bad_tokenizer(file, fmt::format("the vocabulary has no token '{}'", token.content));
}

Status add_tokens(const TokenizerObject& config, const TokenizerFiles& files,
                  const std::vector<AddedToken>& from_json, bool has_template,
                  TokenizerSpec* spec) {
  NamedTokens named;
  MR_TRY(read_named_tokens(config, &named));
  AddedVocabulary added(spec->vocabulary);
  added.add(from_json);
  if (config.find("added_tokens_decoder") != nullptr) {
    MR_ASSIGN(const std::vector<AddedToken> tokens, read_added_tokens_decoder(config));
    added.add(tokens);
  } else {
    MR_ASSIGN(const json map, parse_object(files.special_tokens_map, kSpecialTokensMap));
    MR_TRY(read_named_tokens({map, kSpecialTokensMap}, &named));
  }
  const json* tokenizer_class = config.find("tokenizer_class");
  const bool has_defaults =
      tokenizer_class == nullptr ||
      (*tokenizer_class != "PreTrainedTokenizerFast" && *tokenizer_class != "TokenizersBackend");
  added.add(special_tokens_to_add(&named, has_defaults, added));
  spec->added_tokens = added.tokens();

  const std::string_view file = files.has_tokenizer_json ? kTokenizerJson : kVocabTxt;
  if (!files.has_tokenizer_json) spec->unk_token = named.unk.content;
  if (spec->vocabulary.count(spec->unk_token) == 0) {
    return bad_tokenizer(file, fmt::format("the vocabulary has no token '{}'", spec->unk_token));
  }
  if (has_template) return {};
  MR_ASSIGN(const uint32_t cls, id_of_special(added, named.cls, file));
  MR_ASSIGN(const uint32_t sep, id_of_special(added, named.sep, file));
  set_bert_template(cls, sep, spec);
  return {};
}

}  // namespace

Result<TokenizerSpec> parse_tokenizer_files(const TokenizerFiles& files) {
  TokenizerSpec spec;
  MR_ASSIGN(const json config_json, parse_object(files.tokenizer_config, kTokenizerConfig));
  MR_ASSIGN(const json model_json, parse_object(files.config, kConfig));
  const TokenizerObject config{config_json, kTokenizerConfig};

  std::vector<AddedToken> from_json;
  bool has_template = false;
  if (files.has_tokenizer_json) {
    MR_ASSIGN(const json root, parse_strict_json(files.tokenizer_json, kTokenizerJson));
    if (!root.is_object()) return bad_tokenizer(kTokenizerJson, "not a JSON object");
    const TokenizerObject object{root, std::string(kTokenizerJson)};
    MR_ASSIGN(from_json, read_tokenizer_json(object, &spec, &has_template));
  } else {
    MR_TRY(read_vocabulary_lines(files.vocab_txt, &spec));
  }
  MR_TRY(read_settings(config, &spec.normalizer));
  MR_TRY(add_tokens(config, files, from_json, has_template, &spec));
  MR_ASSIGN(spec.model_max_length, read_model_max_length(config, {model_json, kConfig}));
  MR_ASSIGN(spec.truncate_left, read_truncate_left(config));
  return spec;
}

Result<TokenizerSpec> read_tokenizer_files(const std::filesystem::path& folder) {
  TokenizerFiles files;
  const auto read = [&](std::string_view name, std::string* target) -> Result<bool> {
    const std::filesystem::path path = folder / name;
    std::error_code ignored;
    if (!std::filesystem::exists(path, ignored)) return false;
    MR_ASSIGN(*target, read_text_file(path, limits::kModelTextFileBytesMax));
    return true;
  };
  MR_ASSIGN(files.has_tokenizer_json, read(kTokenizerJson, &files.tokenizer_json));
  if (!files.has_tokenizer_json) {
    MR_ASSIGN(const bool found, read(kVocabTxt, &files.vocab_txt));
    if (!found) {
      return fail(not_found(
          fmt::format("{}: neither tokenizer.json nor vocab.txt is there", folder.string())));
    }
  }
  MR_TRY(read(kTokenizerConfig, &files.tokenizer_config));
  MR_TRY(read(kSpecialTokensMap, &files.special_tokens_map));
  MR_TRY(read(kConfig, &files.config));
  auto spec = parse_tokenizer_files(files);
  if (!spec) return fail(std::move(spec).error().within(folder.string()));
  return spec;
}

}  // namespace millrace::model
