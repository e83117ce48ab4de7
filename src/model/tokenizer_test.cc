// The tokenizer on a small vocabulary made here. That its ids are those of Hugging Face tokenizers
// on everything is shown by tests/parity; here each rule has its name and its smallest example.
#include "model/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "model/tokenizer_spec.h"
#include "model/tokenizer_trie.h"
#include "model/tokenizer_utf8.h"

namespace millrace::model {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Ids = std::vector<int32_t>;

constexpr size_t kNoLimit = 1000000;
constexpr int32_t kUnk = 1, kCls = 2, kSep = 3, kMask = 4;

// Ids are the numbers of the lines, from 0.
constexpr std::string_view kVocabulary =
    "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n"  // 0-4
    "good\n##ness\nGood\n!\ncafe\n"         // 5-9
    "café\n中\n文\nun\n##believ\n"          // 10-14
    "##able\na\nb\n##b\n中文\n"             // 15-19
    "[\n]\nsep\n'\nt\n"                     // 20-24
    "i\n각\n\u1100\u1161\u11a8\nß\n##é\n";  // 25-29

TokenizerFiles vocabulary_files(std::string config = "") {
  TokenizerFiles files;
  files.vocab_txt = kVocabulary;
  files.tokenizer_config = std::move(config);
  return files;
}

std::shared_ptr<const Tokenizer> make(const TokenizerFiles& files) {
  const auto spec = parse_tokenizer_files(files);
  EXPECT_TRUE(spec) << spec.error().message;
  auto tokenizer = Tokenizer::from_spec(*spec);
  EXPECT_TRUE(tokenizer) << tokenizer.error().message;
  return *tokenizer;
}

std::string error_of(const TokenizerFiles& files) {
  const auto spec = parse_tokenizer_files(files);
  if (!spec) return spec.error().message;
  const auto tokenizer = Tokenizer::from_spec(*spec);
  return tokenizer ? "" : tokenizer.error().message;
}

// The ids between [CLS] and [SEP].
Ids inner(const Tokenizer& tokenizer, std::string_view text) {
  Encoding encoding;
  tokenizer.encode(text, kNoLimit, &encoding);
  EXPECT_GE(encoding.ids.size(), 2u);
  EXPECT_EQ(encoding.ids.front(), kCls);
  EXPECT_EQ(encoding.ids.back(), kSep);
  EXPECT_EQ(encoding.token_type_ids, std::vector<uint8_t>(encoding.ids.size(), 0));
  return {encoding.ids.begin() + 1, encoding.ids.end() - 1};
}

Ids inner(const TokenizerFiles& files, std::string_view text) {
  return inner(*make(files), text);
}

TEST(Tokenizer, LowerCasesAndStripsAccentsWhereNoConfigurationSaysOtherwise) {
  EXPECT_THAT(inner(vocabulary_files(), "GOOD Café"), ElementsAre(5, 9));
}

TEST(Tokenizer, KeepsCaseAndAccentsOfACasedModel) {
  const auto files = vocabulary_files(R"({"do_lower_case": false})");
  EXPECT_THAT(inner(files, "Good good café"), ElementsAre(7, 5, 10));
}

TEST(Tokenizer, StripAccentsCanBeSetApartFromCase) {
  EXPECT_THAT(inner(vocabulary_files(R"({"strip_accents": false})"), "CAFÉ"), ElementsAre(10));
  EXPECT_THAT(inner(vocabulary_files(R"({"do_lower_case": false, "strip_accents": true})"), "café"),
              ElementsAre(9));
}

TEST(Tokenizer, TakesTheLongestPieceFirst) {
  EXPECT_THAT(inner(vocabulary_files(), "unbelievable"), ElementsAre(13, 14, 15));
}

TEST(Tokenizer, AWordThatCannotBeSpeltToItsEndIsUnknownAsAWhole) {
  EXPECT_THAT(inner(vocabulary_files(), "unbelievablex good"), ElementsAre(kUnk, 5));
}

TEST(Tokenizer, AWordOfMoreThanAHundredCharactersIsUnknown) {
  const auto tokenizer = make(vocabulary_files());
  EXPECT_EQ(inner(*tokenizer, "a" + std::string(99, 'b')).size(), 100u);
  EXPECT_THAT(inner(*tokenizer, "a" + std::string(100, 'b')), ElementsAre(kUnk));
  EXPECT_THAT(inner(*tokenizer, std::string(1000000, 'a')), ElementsAre(kUnk));
}

TEST(Tokenizer, CharactersCountTowardsTheHundredNotBytes) {
  const auto tokenizer = make(vocabulary_files(R"({"strip_accents": false})"));
  std::string word = "a";
  for (int i = 0; i < 99; ++i) word += "é";
  EXPECT_EQ(inner(*tokenizer, word).size(), 100u);
  EXPECT_THAT(inner(*tokenizer, word + "é"), ElementsAre(kUnk));
}

TEST(Tokenizer, PunctuationStandsAlone) {
  EXPECT_THAT(inner(vocabulary_files(), "good!good"), ElementsAre(5, 8, 5));
  EXPECT_THAT(inner(vocabulary_files(), "a'b"), ElementsAre(16, 23, 17));
}

TEST(Tokenizer, ChineseStandsAloneUnlessTheConfigurationSaysNot) {
  EXPECT_THAT(inner(vocabulary_files(), "a中文b"), ElementsAre(16, 11, 12, 17));
  EXPECT_THAT(inner(vocabulary_files(R"({"tokenize_chinese_chars": false})"), "中文"),
              ElementsAre(19));
}

TEST(Tokenizer, HangulIsDecomposedWhenAccentsAreStripped) {
  EXPECT_THAT(inner(vocabulary_files(), "각"), ElementsAre(27));
  EXPECT_THAT(inner(vocabulary_files(R"({"strip_accents": false})"), "각"), ElementsAre(26));
}

TEST(Tokenizer, ControlCharactersVanishAndEverySpaceIsASpace) {
  EXPECT_THAT(inner(vocabulary_files(), "go\x01o\u200Bd"), ElementsAre(5));
  EXPECT_THAT(inner(vocabulary_files(), "a\tb\nb\u00A0a\u3000b"), ElementsAre(16, 17, 17, 16, 17));
  EXPECT_THAT(inner(vocabulary_files(), std::string_view("go\0od", 5)), ElementsAre(5));
}

TEST(Tokenizer, LowerCasingMayLengthenAndIsFreeOfContext) {
  // U+0130 becomes i and a dot above, which goes where accents are stripped.
  EXPECT_THAT(inner(vocabulary_files(), "\u0130"), ElementsAre(25));
  EXPECT_THAT(inner(vocabulary_files(), "ß"), ElementsAre(28));
}

TEST(Tokenizer, EmptyTextHasOnlyTheSpecialTokens) {
  EXPECT_THAT(inner(vocabulary_files(), ""), ElementsAre());
  EXPECT_THAT(inner(vocabulary_files(), " \u0301\u200B "), ElementsAre());
}

TEST(Tokenizer, SpecialTokensWrittenInTheTextAreRecognisedAsWritten) {
  EXPECT_THAT(inner(vocabulary_files(), "a[SEP]b [MASK]"), ElementsAre(16, kSep, 17, kMask));
  EXPECT_THAT(inner(vocabulary_files(), "[sep]"), ElementsAre(20, 22, 21));
}

TEST(Tokenizer, InvalidUtf8NeverLeavesTheText) {
  const auto tokenizer = make(vocabulary_files());
  for (const std::string_view text :
       {"\xFF", "a\xC3", "\xE4\xB8", "\xF0\x9F\x98", "\xED\xA0\x80"}) {
    Encoding encoding;
    tokenizer->encode(text, kNoLimit, &encoding);
    EXPECT_EQ(encoding.ids.front(), kCls);
  }
}

// --- length ---

TEST(Tokenizer, TruncationKeepsTheSpecialTokens) {
  const auto tokenizer = make(vocabulary_files());
  Encoding encoding;
  tokenizer->encode("a b a b", 4, &encoding);
  EXPECT_THAT(encoding.ids, ElementsAre(kCls, 16, 17, kSep));
  EXPECT_TRUE(encoding.truncated);
  tokenizer->encode("a b", 4, &encoding);
  EXPECT_THAT(encoding.ids, ElementsAre(kCls, 16, 17, kSep));
  EXPECT_FALSE(encoding.truncated);
}

TEST(Tokenizer, TruncationSideLeftKeepsTheEnd) {
  const auto tokenizer = make(vocabulary_files(R"({"truncation_side": "left"})"));
  Encoding encoding;
  tokenizer->encode("good a b a a ! b !", 5, &encoding);
  EXPECT_THAT(encoding.ids, ElementsAre(kCls, 8, 17, 8, kSep));
  EXPECT_TRUE(encoding.truncated);
}

TEST(Tokenizer, AnyMaxLengthIsKept) {
  const auto tokenizer = make(vocabulary_files());
  Encoding encoding;
  for (size_t max_length = 0; max_length < 12; ++max_length) {
    tokenizer->encode("a b a b a b", max_length, &encoding);
    EXPECT_EQ(encoding.ids.size(), std::min<size_t>(max_length, 8));
    tokenizer->encode_pair("a b a b", "b b b", max_length, &encoding);
    EXPECT_EQ(encoding.ids.size(), std::min<size_t>(max_length, 10));
    EXPECT_EQ(encoding.token_type_ids.size(), encoding.ids.size());
  }
}

TEST(Tokenizer, PairsHaveTypesAndTheLongerTextGivesFirst) {
  const auto tokenizer = make(vocabulary_files());
  Encoding encoding;
  tokenizer->encode_pair("a a a a", "b", kNoLimit, &encoding);
  EXPECT_THAT(encoding.ids, ElementsAre(kCls, 16, 16, 16, 16, kSep, 17, kSep));
  EXPECT_THAT(encoding.token_type_ids, ElementsAre(0, 0, 0, 0, 0, 0, 1, 1));
  tokenizer->encode_pair("a a a a", "b", 6, &encoding);
  EXPECT_THAT(encoding.ids, ElementsAre(kCls, 16, 16, kSep, 17, kSep));
  // Both too long: halves, the odd one to the second text unless the first was longer.
  tokenizer->encode_pair("a a a a", "b b b b b", 8, &encoding);
  EXPECT_THAT(encoding.ids, ElementsAre(kCls, 16, 16, kSep, 17, 17, 17, kSep));
  tokenizer->encode_pair("a a a a a", "b b b b", 8, &encoding);
  EXPECT_THAT(encoding.ids, ElementsAre(kCls, 16, 16, 16, kSep, 17, 17, kSep));
  EXPECT_TRUE(encoding.truncated);
}

TEST(Tokenizer, TheLengthIsWhatTheFolderSays) {
  EXPECT_EQ(make(vocabulary_files())->model_max_length(), 512u);
  EXPECT_EQ(make(vocabulary_files(R"({"model_max_length": 128})"))->model_max_length(), 128u);
  auto files = vocabulary_files(R"({"model_max_length": 1000000000000000019884624838656})");
  EXPECT_EQ(make(files)->model_max_length(), 512u);
  files.config = R"({"max_position_embeddings": 1024})";
  EXPECT_EQ(make(files)->model_max_length(), 1024u);
}

// --- added tokens ---

std::string added(const std::string& content, const std::string& flags) {
  return R"({"added_tokens_decoder": {"99": {"content": ")" + content + R"(", "special": false)" +
         flags + "}}}";
}

TEST(Tokenizer, AddedTokensGetTheNextFreeId) {
  EXPECT_THAT(inner(vocabulary_files(added("qq", "")), "aqqb"), ElementsAre(16, 30, 17));
  EXPECT_EQ(make(vocabulary_files(added("qq", "")))->vocab_size(), 31u);
}

TEST(Tokenizer, NormalizedAddedTokensAreFoundInNormalisedText) {
  EXPECT_THAT(inner(vocabulary_files(added("Qé", R"(, "normalized": true)")), "a QÉ qe"),
              ElementsAre(16, 30, 30));
  EXPECT_THAT(inner(vocabulary_files(added("Qé", R"(, "normalized": false)")), "a QÉ Qé"),
              ElementsAre(16, kUnk, 30));
}

TEST(Tokenizer, SingleWordTokensAreNotFoundInsideWords) {
  const auto files = vocabulary_files(added("b", R"(, "single_word": true, "normalized": false)"));
  EXPECT_THAT(inner(files, "ab b"), ElementsAre(16, 18, 17));
  const auto dash = vocabulary_files(added("--", R"(, "single_word": true, "normalized": false)"));
  EXPECT_THAT(inner(dash, "a--b --"), ElementsAre(16, kUnk, kUnk, 17, 30));
}

TEST(Tokenizer, TheLongestAddedTokenWins) {
  auto files = vocabulary_files(R"({"additional_special_tokens": ["xy", "xyz", "x"]})");
  EXPECT_THAT(inner(files, "xyzxyx"), ElementsAre(31, 30, 32));
}

TEST(Tokenizer, ANameThatNoFileStatesAndTheVocabularyLacksIsNotAdded) {
  TokenizerFiles files;
  files.vocab_txt = "[UNK]\n[CLS]\n[SEP]\na\n";
  EXPECT_EQ(make(files)->vocab_size(), 4u);
  files.special_tokens_map = R"({"mask_token": "[MASK]"})";
  EXPECT_EQ(make(files)->vocab_size(), 5u);
}

TEST(Tokenizer, SpecialTokensMayHaveOtherNames) {
  TokenizerFiles files;
  files.vocab_txt = "<u>\n<s>\n</s>\na\n";
  files.special_tokens_map = R"({"unk_token": "<u>", "cls_token": {"content": "<s>"},
                                 "sep_token": "</s>"})";
  Encoding encoding;
  make(files)->encode("a</s>b", kNoLimit, &encoding);
  EXPECT_THAT(encoding.ids, ElementsAre(1, 3, 2, 0, 2));
}

// --- tokenizer.json ---

constexpr std::string_view kJsonModel = R"("model": {"type": "WordPiece", "unk_token": "[UNK]",
    "continuing_subword_prefix": "##", "max_input_chars_per_word": 4,
    "vocab": {"[UNK]": 0, "[CLS]": 5, "[SEP]": 6, "a": 7, "##b": 8, "A": 9}})";
constexpr std::string_view kJsonRest = R"("version": "1.0", "added_tokens": [],
    "truncation": {"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0},
    "pre_tokenizer": {"type": "BertPreTokenizer"}, "normalizer": {"type": "BertNormalizer",
    "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true})";
constexpr std::string_view kBertProcessing =
    R"("post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 6], "cls": ["[CLS]", 5]})";

TokenizerFiles json_files(std::string_view a, std::string_view b, std::string_view c = "") {
  TokenizerFiles files;
  files.has_tokenizer_json = true;
  files.tokenizer_json = "{" + std::string(a) + "," + std::string(b);
  if (!c.empty()) files.tokenizer_json += "," + std::string(c);
  files.tokenizer_json += "}";
  return files;
}

Ids all_ids(const TokenizerFiles& files, std::string_view text) {
  Encoding encoding;
  make(files)->encode(text, kNoLimit, &encoding);
  return encoding.ids;
}

TEST(TokenizerJson, IsReadAndItsTruncationIgnored) {
  const auto files = json_files(kJsonModel, kJsonRest, kBertProcessing);
  EXPECT_THAT(all_ids(files, "ab A abbbb [SEP]"), ElementsAre(5, 7, 8, 7, 0, 6, 6));
}

TEST(TokenizerJson, WithoutPostProcessorHasBertsTemplate) {
  EXPECT_THAT(all_ids(json_files(kJsonModel, kJsonRest), "a"), ElementsAre(5, 7, 6));
}

TEST(TokenizerJson, WhatTheConfigurationStatesComesFirst) {
  auto files = json_files(kJsonModel, kJsonRest);
  files.tokenizer_config = R"({"do_lower_case": false})";
  EXPECT_THAT(all_ids(files, "A"), ElementsAre(5, 9, 6));
  files.tokenizer_config = R"({"do_lower_case": false,
                               "tokenizer_class": "PreTrainedTokenizerFast",
                               "cls_token": "[CLS]", "sep_token": "[SEP]"})";
  EXPECT_THAT(all_ids(files, "A"), ElementsAre(5, 7, 6));
}

TEST(TokenizerJson, OtherKindsAreRefusedByName) {
  auto files = json_files(R"("model": {"type": "BPE"})", kJsonRest);
  EXPECT_THAT(error_of(files), HasSubstr("tokenizer.json: the model BPE is not supported"));
  files = json_files(kJsonModel, R"("normalizer": {"type": "NFC"})");
  EXPECT_THAT(error_of(files), HasSubstr("the normalizer NFC is not supported"));
  files = json_files(kJsonModel, kJsonRest, R"("post_processor": {"type": "RobertaProcessing"})");
  EXPECT_THAT(error_of(files), HasSubstr("the post_processor RobertaProcessing is not supported"));
}

TEST(TokenizerJson, ATemplateOutsideTheVocabularyIsRefused) {
  const auto files = json_files(
      kJsonModel, kJsonRest,
      R"("post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 6], "cls": ["[CLS]", 70]})");
  EXPECT_THAT(error_of(files), HasSubstr("adds id 70, but the vocabulary has 10 ids"));
}

TEST(TokenizerFiles, ErrorsNameTheFileAndWhatIsWrong) {
  TokenizerFiles files;
  files.vocab_txt = "[UNK]\n[SEP]\n";
  EXPECT_THAT(error_of(files), HasSubstr("vocab.txt: the vocabulary has no token '[CLS]'"));
  files.vocab_txt = "[CLS]\n[SEP]\n";
  EXPECT_THAT(error_of(files), HasSubstr("vocab.txt: the vocabulary has no token '[UNK]'"));
  files.vocab_txt = "[UNK]\n\xFF\n";
  EXPECT_THAT(error_of(files), HasSubstr("vocab.txt: not valid UTF-8 at byte 6"));
  EXPECT_THAT(error_of(vocabulary_files("[]")),
              HasSubstr("tokenizer_config.json: not a JSON object"));
  EXPECT_THAT(error_of(vocabulary_files(R"({"do_lower_case": 1})")),
              HasSubstr("tokenizer_config.json: 'do_lower_case' must be true or false"));
  EXPECT_THAT(error_of(vocabulary_files(R"({"model_max_length": 1})")),
              HasSubstr("model_max_length 1 leaves no room for the 2 special tokens"));
}

TEST(TokenizerFiles, AFolderWithoutTokenizerFilesIsNotFound) {
  const auto spec = read_tokenizer_files("/nonexistent");
  ASSERT_FALSE(spec);
  EXPECT_EQ(spec.error().code, Code::kNotFound);
}

TEST(TokenizerFiles, VocabularyLinesMayEndInCarriageReturnOrSpace) {
  TokenizerFiles files;
  files.vocab_txt = "[UNK]\r\n[CLS]\r\n[SEP]\r\na \u3000\nb";
  EXPECT_THAT(all_ids(files, "a b"), ElementsAre(1, 3, 4, 2));
}

// --- the parts ---

TEST(TokenizerTrie, FindsTheLongestPrefixAmongAllSplits) {
  const std::vector<std::string> keys = {"a", "ab", "abcd", "b", std::string("\0x", 2), "\xFF\xFE"};
  std::vector<TokenizerTrie::Entry> entries;
  for (size_t i = 0; i < keys.size(); ++i) entries.emplace_back(keys[i], static_cast<uint32_t>(i));
  TokenizerTrie trie;
  trie.build(entries);
  const auto find = [&](std::string_view text) {
    const auto match = trie.longest_prefix(text);
    return std::pair(match.bytes, match.value);
  };
  EXPECT_EQ(find("abcx"), std::pair(size_t{2}, 1u));
  EXPECT_EQ(find("abcde"), std::pair(size_t{4}, 2u));
  EXPECT_EQ(find("xa").first, 0u);
  EXPECT_EQ(find("").first, 0u);
  EXPECT_EQ(find(std::string_view("\0x", 2)), std::pair(size_t{2}, 4u));
  EXPECT_EQ(find(std::string_view("\0\0", 2)).first, 0u);
  EXPECT_EQ(find("\xFF\xFE\xFF"), std::pair(size_t{2}, 5u));
}

TEST(TokenizerTrie, AnEmptyTrieFindsNothing) {
  TokenizerTrie trie;
  trie.build({});
  for (int byte = 0; byte < 256; ++byte) {
    EXPECT_EQ(trie.longest_prefix(std::string(3, static_cast<char>(byte))).bytes, 0u);
  }
}

TEST(TokenizerUtf8, EveryCodePointComesBack) {
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    char bytes[4];
    const std::string_view text(bytes, encode_utf8(c, bytes));
    size_t at = 0;
    ASSERT_EQ(next_code_point(text, &at), c);
    ASSERT_EQ(at, text.size());
    ASSERT_EQ(invalid_utf8_at(text), std::string_view::npos);
  }
  EXPECT_EQ(invalid_utf8_at("ab\xED\xA0\x80"), 2u);
}

TEST(Tokenizer, ThreadsShareOne) {
  const auto tokenizer = make(vocabulary_files(added("qq", R"(, "normalized": true)")));
  const Ids expected = inner(*tokenizer, "Good unbelievable 中文 qq");
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < 200; ++k)
        EXPECT_EQ(inner(*tokenizer, "Good unbelievable 中文 qq"), expected);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace millrace::model
