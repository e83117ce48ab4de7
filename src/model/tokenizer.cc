// The tokenizer from end to end: added tokens are taken out of the raw text, what lies between is
// normalised, cut into words and spelt in pieces of the vocabulary, and the template frames it all.
#include "model/tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "model/tokenizer_added_tokens.h"
#include "model/tokenizer_normalizer.h"
#include "model/tokenizer_spec.h"
#include "model/tokenizer_words.h"

namespace millrace::model {

namespace {

// What a thread keeps between calls, so that encoding allocates nothing once it is warm.
struct Scratch {
  PendingMarks pending;
  WordBuffer word;
  std::string normalized;
  std::vector<int32_t> first;
  std::vector<int32_t> second;
};

Scratch& scratch() {
  thread_local Scratch instance;
  return instance;
}

// Sink of the normaliser that keeps the text.
struct TextSink {
  std::string* text;
  void ascii(char c) { text->push_back(c); }
  void code_point(char32_t c) { append_utf8(c, text); }
  static bool full() { return false; }
};

std::string normalize(const Normalizer& normalizer, std::string_view text) {
  std::string normalized;
  PendingMarks pending;
  TextSink sink{&normalized};
  normalizer.run(text, &pending, &sink);
  return normalized;
}

size_t special_count(const std::vector<TemplatePiece>& pieces) {
  size_t count = 0;
  for (const TemplatePiece& piece : pieces) count += piece.ids.size();
  return count;
}

// How many ids of each text stay when both together may have `limit`: the longer one gives first.
void truncate_longest_first(size_t limit, size_t* first, size_t* second) {
  if (*first + *second <= limit) return;
  const bool swapped = *first > *second;
  size_t& shorter = swapped ? *second : *first;
  size_t& longer = swapped ? *first : *second;
  longer = shorter > limit ? shorter : std::max(shorter, limit - shorter);
  if (shorter + longer > limit) {
    shorter = limit / 2;
    longer = shorter + limit % 2;
  }
}

void keep(size_t count, bool last, std::vector<int32_t>* ids) {
  if (ids->size() <= count) return;
  if (last) ids->erase(ids->begin(), ids->end() - static_cast<std::ptrdiff_t>(count));
  ids->resize(count);
}

}  // namespace

struct Tokenizer::Impl {
  explicit Impl(const TokenizerSpec& spec)
      : normalizer(spec.normalizer),
        word_piece(spec),
        single(spec.single),
        pair(spec.pair),
        single_specials(special_count(spec.single)),
        pair_specials(special_count(spec.pair)),
        model_max_length(spec.model_max_length),
        truncate_left(spec.truncate_left) {
    uint32_t largest = 0;
    for (const auto& [token, id] : spec.vocabulary) largest = std::max(largest, id);
    for (const auto& [id, token] : spec.added_tokens) largest = std::max(largest, id);
    vocab_size = size_t{largest} + 1;
  }

  Status set_added_tokens(const TokenizerSpec& spec);
  Status check_template(const std::vector<TemplatePiece>& pieces) const;
  void tokenize(std::string_view text, TokenSink* sink) const;
  void assemble(const std::vector<TemplatePiece>& pieces, size_t max_length, Encoding* out) const;

  Normalizer normalizer;
  WordPiece word_piece;
  AddedTokenMatcher raw_tokens;         // found in the text as it is
  AddedTokenMatcher normalized_tokens;  // found in the normalised text between those
  std::vector<TemplatePiece> single;
  std::vector<TemplatePiece> pair;
  size_t single_specials;
  size_t pair_specials;
  size_t model_max_length;
  size_t vocab_size = 0;
  bool truncate_left;
};

Status Tokenizer::Impl::set_added_tokens(const TokenizerSpec& spec) {
  std::vector<AddedTokenMatcher::Pattern> raw;
  std::vector<AddedTokenMatcher::Pattern> normalized;
  std::map<std::string, const AddedToken*> seen;
  for (const auto& [id, token] : spec.added_tokens) {
    if (!token.normalized) {
      raw.push_back({token.content, id, token});
      continue;
    }
    std::string text = normalize(normalizer, token.content);
    if (text.empty()) {
      return fail(invalid_argument(
          fmt::format("added token '{}': nothing of it is left when normalised", token.content)));
    }
    const auto [other, is_new] = seen.emplace(text, &token);
    if (!is_new) {
      return fail(
          invalid_argument(fmt::format("added tokens '{}' and '{}' are equal when normalised",
                                       other->second->content, token.content)));
    }
    normalized.push_back({std::move(text), id, token});
  }
  raw_tokens.build(std::move(raw));
  normalized_tokens.build(std::move(normalized));
  return {};
}

Status Tokenizer::Impl::check_template(const std::vector<TemplatePiece>& pieces) const {
  for (const TemplatePiece& piece : pieces) {
    for (const int32_t id : piece.ids) {
      if (static_cast<size_t>(id) < vocab_size) continue;
      return fail(invalid_argument(fmt::format(
          "the post_processor adds id {}, but the vocabulary has {} ids", id, vocab_size)));
    }
  }
  return {};
}

void Tokenizer::Impl::tokenize(std::string_view text, TokenSink* sink) const {
  Scratch& buffers = scratch();
  WordSplitter splitter(word_piece, &buffers.word, sink);
  const auto push = [&](uint32_t id) {
    sink->push(id);
    return !sink->full();
  };
  const auto words = [&](std::string_view normalized) {
    splitter.add(normalized);
    splitter.end_word();
    return !sink->full();
  };
  const auto between = [&](std::string_view raw) {
    if (normalized_tokens.empty()) {
      normalizer.run(raw, &buffers.pending, &splitter);
      splitter.end_word();
      return !sink->full();
    }
    buffers.normalized.clear();
    TextSink normalized{&buffers.normalized};
    normalizer.run(raw, &buffers.pending, &normalized);
    normalized_tokens.split(buffers.normalized, words, push);
    return !sink->full();
  };
  raw_tokens.split(text, between, push);
  sink->finish();
}

// Puts the ids in `scratch` into the template. A limit below the number of special tokens cuts
// them.
void Tokenizer::Impl::assemble(const std::vector<TemplatePiece>& pieces, size_t max_length,
                               Encoding* out) const {
  const Scratch& buffers = scratch();
  out->ids.clear();
  out->token_type_ids.clear();
  for (const TemplatePiece& piece : pieces) {
    const std::vector<int32_t>& ids = piece.kind == TemplatePiece::Kind::kSpecial ? piece.ids
                                      : piece.kind == TemplatePiece::Kind::kFirst ? buffers.first
                                                                                  : buffers.second;
    const size_t count = std::min(ids.size(), max_length - out->ids.size());
    out->truncated |= count < ids.size();
    out->ids.insert(out->ids.end(), ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(count));
    out->token_type_ids.insert(out->token_type_ids.end(), count, piece.type_id);
  }
}

Tokenizer::Tokenizer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Tokenizer::~Tokenizer() = default;

Result<std::shared_ptr<const Tokenizer>> Tokenizer::load(const std::filesystem::path& folder) {
  MR_ASSIGN(const TokenizerSpec spec, read_tokenizer_files(folder));
  auto tokenizer = from_spec(spec);
  if (!tokenizer) return fail(std::move(tokenizer).error().within(folder.string()));
  return tokenizer;
}

Result<std::shared_ptr<const Tokenizer>> Tokenizer::from_spec(const TokenizerSpec& spec) {
  auto impl = std::make_unique<Impl>(spec);
  MR_TRY(impl->set_added_tokens(spec));
  MR_TRY(impl->check_template(spec.single));
  MR_TRY(impl->check_template(spec.pair));
  if (impl->model_max_length < impl->single_specials) {
    return fail(
        invalid_argument(fmt::format("model_max_length {} leaves no room for the {} special "
                                     "tokens",
                                     impl->model_max_length, impl->single_specials)));
  }
  return std::shared_ptr<const Tokenizer>(new Tokenizer(std::move(impl)));
}

size_t Tokenizer::model_max_length() const {
  return impl_->model_max_length;
}
size_t Tokenizer::vocab_size() const {
  return impl_->vocab_size;
}

void Tokenizer::encode(std::string_view text, size_t max_length, Encoding* out) const {
  const size_t room = max_length - std::min(max_length, impl_->single_specials);
  Scratch& buffers = scratch();
  buffers.first.clear();
  TokenSink sink{.ids = &buffers.first,
                 .limit = room,
                 .keep_last = impl_->truncate_left,
                 .stop_early = !impl_->truncate_left};
  impl_->tokenize(text, &sink);
  out->truncated = sink.count > room;
  impl_->assemble(impl_->single, max_length, out);
}

void Tokenizer::encode_pair(std::string_view first, std::string_view second, size_t max_length,
                            Encoding* out) const {
  const size_t room = max_length - std::min(max_length, impl_->pair_specials);
  const bool last = impl_->truncate_left;
  Scratch& buffers = scratch();
  buffers.first.clear();
  buffers.second.clear();
  // No early stop: how much of one stays depends on the exact length of both.
  TokenSink first_sink{.ids = &buffers.first, .limit = room, .keep_last = last};
  TokenSink second_sink{.ids = &buffers.second, .limit = room, .keep_last = last};
  impl_->tokenize(first, &first_sink);
  impl_->tokenize(second, &second_sink);
  size_t first_count = first_sink.count;
  size_t second_count = second_sink.count;
  out->truncated = first_count + second_count > room;
  truncate_longest_first(room, &first_count, &second_count);
  keep(first_count, last, &buffers.first);
  keep(second_count, last, &buffers.second);
  impl_->assemble(impl_->pair, max_length, out);
}

}  // namespace millrace::model
