// tokenizer.json, as far as BERT tokenizers use it. Its truncation and padding are ignored: the
// model's own maximum rules, and nothing is ever padded.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "model/tokenizer_object.h"
#include "model/tokenizer_spec.h"

namespace millrace::model {
namespace {

using nlohmann::json;
using Kind = TemplatePiece::Kind;

Status read_model(const TokenizerObject& root, TokenizerSpec* spec) {
  MR_ASSIGN(const TokenizerObject model, root.object("model"));
  // Files of old releases do not state the type.
  if (model.find("type") != nullptr) MR_TRY(root.typed("model", "WordPiece"));
  if (model.find("merges") != nullptr) {
    return bad_tokenizer(root.where, "the model BPE is not supported (only WordPiece is)");
  }
  MR_ASSIGN(spec->unk_token, model.string("unk_token"));
  MR_ASSIGN(spec->continuing_subword_prefix, model.string("continuing_subword_prefix"));
  MR_ASSIGN(spec->max_input_chars_per_word, model.unsigned_number("max_input_chars_per_word"));
  MR_ASSIGN(const TokenizerObject vocabulary, model.object("vocab"));
  spec->vocabulary.reserve(vocabulary.value.size());
  for (const auto& [token, id] : vocabulary.value.items()) {
    MR_ASSIGN(spec->vocabulary[token], read_token_id(id, kTokenizerJson, token));
  }
  return {};
}

Status read_normalizer(const TokenizerObject& root, NormalizerSettings* settings) {
  MR_ASSIGN(const TokenizerObject normalizer, root.typed("normalizer", "BertNormalizer"));
  MR_ASSIGN(settings->clean_text, normalizer.boolean("clean_text"));
  MR_ASSIGN(settings->handle_chinese_chars, normalizer.boolean("handle_chinese_chars"));
  MR_ASSIGN(settings->lowercase, normalizer.boolean("lowercase"));
  if (normalizer.find("strip_accents") != nullptr) {
    MR_ASSIGN(settings->strip_accents, normalizer.boolean("strip_accents"));
  }
  return {};
}

Result<std::vector<AddedToken>> read_added_tokens(const TokenizerObject& root) {
  std::vector<AddedToken> tokens;
  const json* list = root.find("added_tokens");
  if (list == nullptr) return tokens;
  if (!list->is_array()) return root.wrong("added_tokens", "a list");
  for (const json& item : *list) {
    if (!item.is_object()) return root.wrong("added_tokens", "a list of objects");
    const TokenizerObject from{item, fmt::format("{}: added_tokens", kTokenizerJson)};
    MR_ASSIGN(AddedToken token, from.added_token(std::nullopt));
    tokens.push_back(std::move(token));
  }
  return tokens;
}

Result<TemplatePiece> read_piece(const json& item, const TokenizerObject& processor) {
  const json* sequence =
      item.is_object() && item.contains("Sequence") ? &item["Sequence"] : nullptr;
  const json* special =
      item.is_object() && item.contains("SpecialToken") ? &item["SpecialToken"] : nullptr;
  const json* either = sequence != nullptr ? sequence : special;
  if (either == nullptr || !either->is_object()) {
    return bad_tokenizer(processor.where,
                         "a template holds what is neither Sequence nor SpecialToken");
  }
  const TokenizerObject from{*either, processor.where};
  MR_ASSIGN(const std::string id, from.string("id"));
  MR_ASSIGN(const uint64_t type_id, from.unsigned_number("type_id"));
  if (type_id > 1) return bad_tokenizer(processor.where, "a template has a type_id above 1");
  TemplatePiece piece;
  piece.type_id = static_cast<uint8_t>(type_id);
  if (sequence != nullptr) {
    if (id != "A" && id != "B")
      return bad_tokenizer(processor.where, fmt::format("no sequence '{}'", id));
    piece.kind = id == "A" ? Kind::kFirst : Kind::kSecond;
    return piece;
  }
  MR_ASSIGN(const TokenizerObject tokens, processor.object("special_tokens"));
  MR_ASSIGN(const TokenizerObject token, tokens.object(id.c_str()));
  const json* ids = token.find("ids");
  if (ids == nullptr || !ids->is_array() || ids->empty())
    return token.wrong("ids", "a list of ids");
  for (const json& value : *ids) {
    MR_ASSIGN(const uint32_t number, read_token_id(value, kTokenizerJson, id));
    piece.ids.push_back(static_cast<int32_t>(number));
  }
  return piece;
}

Result<std::vector<TemplatePiece>> read_template(const TokenizerObject& processor,
                                                 const char* key) {
  const json* list = processor.find(key);
  if (list == nullptr || !list->is_array()) return processor.wrong(key, "a list");
  std::vector<TemplatePiece> pieces;
  for (const json& item : *list) {
    MR_ASSIGN(TemplatePiece piece, read_piece(item, processor));
    pieces.push_back(std::move(piece));
  }
  const auto count = [&](Kind kind) {
    return std::count_if(pieces.begin(), pieces.end(),
                         [kind](const TemplatePiece& piece) { return piece.kind == kind; });
  };
  // Without a special token an empty text would be an empty row, which no model can read.
  const bool is_pair = std::string_view(key) == "pair";
  if (count(Kind::kFirst) != 1 || count(Kind::kSecond) != (is_pair ? 1 : 0) ||
      count(Kind::kSpecial) == 0) {
    return processor.wrong(
        key, is_pair ? "special tokens around one A and one B" : "special tokens around one A");
  }
  return pieces;
}

// False: there is none.
Result<bool> read_post_processor(const TokenizerObject& root, TokenizerSpec* spec) {
  if (root.find("post_processor") == nullptr) return false;
  MR_ASSIGN(const TokenizerObject any, root.object("post_processor"));
  if (any.value.value("type", json()) != "BertProcessing") {
    MR_ASSIGN(const TokenizerObject processor, root.typed("post_processor", "TemplateProcessing"));
    MR_ASSIGN(spec->single, read_template(processor, "single"));
    MR_ASSIGN(spec->pair, read_template(processor, "pair"));
    return true;
  }
  uint32_t ids[2] = {};
  for (const auto& [key, id] : {std::pair{"cls", &ids[0]}, std::pair{"sep", &ids[1]}}) {
    const json* token = any.find(key);
    if (token == nullptr || !token->is_array() || token->size() != 2 || !(*token)[0].is_string()) {
      return any.wrong(key, "a token and its id");
    }
    MR_ASSIGN(*id, read_token_id((*token)[1], kTokenizerJson, key));
  }
  set_bert_template(ids[0], ids[1], spec);
  return true;
}

}  // namespace

void set_bert_template(uint32_t cls, uint32_t sep, TokenizerSpec* spec) {
  const TemplatePiece begin{Kind::kSpecial, {static_cast<int32_t>(cls)}, 0};
  const TemplatePiece end{Kind::kSpecial, {static_cast<int32_t>(sep)}, 0};
  const TemplatePiece end_of_second{Kind::kSpecial, {static_cast<int32_t>(sep)}, 1};
  spec->single = {begin, {Kind::kFirst, {}, 0}, end};
  spec->pair = {begin, {Kind::kFirst, {}, 0}, end, {Kind::kSecond, {}, 1}, end_of_second};
}

Result<std::vector<AddedToken>> read_tokenizer_json(const TokenizerObject& root,
                                                    TokenizerSpec* spec, bool* has_template) {
  if (const json* version = root.find("version"); version != nullptr && *version != "1.0") {
    return bad_tokenizer(root.where, "only version 1.0 is supported");
  }
  MR_TRY(read_model(root, spec));
  MR_TRY(read_normalizer(root, &spec->normalizer));
  MR_TRY(root.typed("pre_tokenizer", "BertPreTokenizer"));
  MR_ASSIGN(*has_template, read_post_processor(root, spec));
  return read_added_tokens(root);
}

}  // namespace millrace::model
