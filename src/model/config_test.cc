// config.json: both architectures, defaults, labels, and refusals by name.
#include "model/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/model_card.h"

namespace millrace::model {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string distilbert(const std::string& more) {
  return R"({"architectures": ["DistilBertForSequenceClassification"])" + more + "}";
}

std::string bert(const std::string& more) {
  return R"({"architectures": ["BertForSequenceClassification"])" + more + "}";
}

std::string refusal(const std::string& text) {
  const auto config = parse_config(text, "config.json");
  if (config) return "accepted";
  EXPECT_EQ(config.error().code, Code::kInvalidArgument);
  EXPECT_THAT(config.error().message, HasSubstr("config.json: "));
  return config.error().message;
}

TEST(Config, ReadsDistilBert) {
  const auto config =
      parse_config(distilbert(R"(, "dim": 96, "n_layers": 3, "n_heads": 6, "hidden_dim": 384,
                     "activation": "relu", "vocab_size": 1200, "max_position_embeddings": 128,
                     "id2label": {"1": "POSITIVE", "0": "NEGATIVE"}, "pruned_heads": {},
                     "sinusoidal_pos_embds": true, "problem_type": null)"),
                   "config.json");
  ASSERT_TRUE(config.has_value()) << config.error().message;
  EXPECT_EQ(config->architecture, Architecture::kDistilBert);
  EXPECT_EQ(config->hidden_size, 96U);
  EXPECT_EQ(config->num_hidden_layers, 3U);
  EXPECT_EQ(config->num_attention_heads, 6U);
  EXPECT_EQ(config->intermediate_size, 384U);
  EXPECT_EQ(config->hidden_act, nn::Activation::kRelu);
  EXPECT_EQ(config->vocab_size, 1200U);
  EXPECT_EQ(config->max_position_embeddings, 128U);
  EXPECT_EQ(config->type_vocab_size, 0U);
  EXPECT_THAT(config->labels, ElementsAre("NEGATIVE", "POSITIVE"));
  EXPECT_FALSE(config->multi_label);
}

TEST(Config, ReadsBert) {
  const auto config =
      parse_config(bert(R"(, "hidden_size": 60, "num_hidden_layers": 2, "num_attention_heads": 5,
               "intermediate_size": 200, "hidden_act": "gelu_new", "type_vocab_size": 3,
               "layer_norm_eps": 1e-5, "num_labels": 3,
               "position_embedding_type": "absolute", "is_decoder": false,
               "problem_type": "multi_label_classification")"),
                   "config.json");
  ASSERT_TRUE(config.has_value()) << config.error().message;
  EXPECT_EQ(config->architecture, Architecture::kBert);
  EXPECT_EQ(config->hidden_act, nn::Activation::kGeluTanh);
  EXPECT_EQ(config->type_vocab_size, 3U);
  EXPECT_FLOAT_EQ(config->layer_norm_eps, 1e-5F);
  EXPECT_THAT(config->labels, ElementsAre("LABEL_0", "LABEL_1", "LABEL_2"));
  EXPECT_TRUE(config->multi_label);
}

TEST(Config, WhatIsNotStatedIsTransformersDefault) {
  const auto config = parse_config(bert(""), "config.json");
  ASSERT_TRUE(config.has_value()) << config.error().message;
  EXPECT_EQ(config->hidden_size, 768U);
  EXPECT_EQ(config->num_hidden_layers, 12U);
  EXPECT_EQ(config->num_attention_heads, 12U);
  EXPECT_EQ(config->intermediate_size, 3072U);
  EXPECT_EQ(config->vocab_size, 30522U);
  EXPECT_EQ(config->max_position_embeddings, 512U);
  EXPECT_EQ(config->type_vocab_size, 2U);
  EXPECT_FLOAT_EQ(config->layer_norm_eps, 1e-12F);
  EXPECT_THAT(config->labels, ElementsAre("LABEL_0", "LABEL_1"));
}

TEST(Config, OneLabelIsScoredBySigmoidAsInThePipeline) {
  const auto config = parse_config(distilbert(R"(, "id2label": {"0": "SCORE"})"), "config.json");
  ASSERT_TRUE(config.has_value()) << config.error().message;
  EXPECT_TRUE(config->multi_label);
}

TEST(Config, RefusesOtherArchitecturesByName) {
  EXPECT_THAT(refusal(R"({"architectures": ["RobertaForSequenceClassification"]})"),
              HasSubstr("\"RobertaForSequenceClassification\" is not supported; "
                        "DistilBertForSequenceClassification and BertForSequenceClassification"));
  EXPECT_THAT(refusal(R"({"architectures": ["DistilBertForMaskedLM"]})"),
              HasSubstr("DistilBertForMaskedLM"));
  EXPECT_THAT(refusal("{}"), HasSubstr("architectures names no architecture"));
  EXPECT_THAT(refusal(distilbert(R"(, "model_type": "bert")")), HasSubstr("model_type"));
}

TEST(Config, RefusesVariantsOfTheArithmeticByName) {
  EXPECT_THAT(refusal(bert(R"(, "position_embedding_type": "relative_key")")),
              HasSubstr("position_embedding_type: \"relative_key\" is not supported"));
  EXPECT_THAT(refusal(bert(R"(, "is_decoder": true)")), HasSubstr("is_decoder"));
  EXPECT_THAT(refusal(bert(R"(, "add_cross_attention": true)")), HasSubstr("add_cross_attention"));
  EXPECT_THAT(refusal(bert(R"(, "hidden_act": "silu")")), HasSubstr("hidden_act: \"silu\""));
  EXPECT_THAT(refusal(distilbert(R"(, "activation": "swish")")),
              HasSubstr("activation: \"swish\""));
  EXPECT_THAT(refusal(bert(R"(, "pruned_heads": {"0": [1]})")), HasSubstr("pruned_heads"));
  EXPECT_THAT(refusal(bert(R"(, "quantization_config": {"bits": 4})")),
              HasSubstr("quantization_config"));
  EXPECT_THAT(refusal(bert(R"(, "problem_type": "regression")")), HasSubstr("problem_type"));
}

TEST(Config, RefusesBadSizesByName) {
  EXPECT_THAT(refusal(distilbert(R"(, "dim": 0)")), HasSubstr("dim: 0 is not a whole number"));
  EXPECT_THAT(refusal(distilbert(R"(, "dim": "768")")), HasSubstr("dim: \"768\""));
  EXPECT_THAT(refusal(distilbert(R"(, "n_layers": -1)")), HasSubstr("n_layers: -1"));
  EXPECT_THAT(refusal(distilbert(R"(, "n_layers": 1e3)")), HasSubstr("n_layers: 1000.0"));
  EXPECT_THAT(refusal(distilbert(R"(, "n_heads": 7)")),
              HasSubstr("7 attention heads do not divide"));
  EXPECT_THAT(refusal(distilbert(R"(, "vocab_size": 99999999999)")), HasSubstr("vocab_size"));
  EXPECT_THAT(refusal(bert(R"(, "layer_norm_eps": -1)")), HasSubstr("layer_norm_eps"));
  EXPECT_THAT(refusal(bert(R"(, "type_vocab_size": 257)")), HasSubstr("type_vocab_size"));
  EXPECT_THAT(refusal(bert(R"(, "type_vocab_size": 1)")), HasSubstr("type_vocab_size"));
}

TEST(Config, RefusesLabelsThatAreNotOneForEachId) {
  EXPECT_THAT(refusal(bert(R"(, "id2label": {"0": "A", "2": "B"})")), HasSubstr("the id 1"));
  EXPECT_THAT(refusal(bert(R"(, "id2label": {})")), HasSubstr("id2label"));
  EXPECT_THAT(refusal(bert(R"(, "id2label": ["A"])")), HasSubstr("id2label"));
  EXPECT_THAT(refusal(bert(R"(, "id2label": {"0": 1})")), HasSubstr("not a string"));
  EXPECT_THAT(refusal(bert(R"(, "id2label": {"0": "A", "1": "B", "2": "A"})")),
              HasSubstr("the ids 0 and 2 have the same label 'A'"));
  EXPECT_THAT(refusal(bert(R"(, "num_labels": 3, "id2label": {"0": "A", "1": "B"})")),
              HasSubstr("num_labels is 3, but id2label names 2"));
}

TEST(Config, RefusesWhatIsNoJsonObject) {
  EXPECT_THAT(refusal("[1]"), HasSubstr("not a JSON object"));
  EXPECT_THAT(refusal("{"), HasSubstr("not valid JSON"));
  EXPECT_THAT(refusal(bert(R"(, "dim": 1, "dim": 2)")), HasSubstr("\"dim\" stands there twice"));
}

TEST(ModelCard, ReadsLanguagesInEveryStyle) {
  EXPECT_THAT(card_languages("---\nlanguage: en\n---\n# A\n"), ElementsAre("en"));
  EXPECT_THAT(card_languages("---\r\nlicense: mit\r\nlanguage: \"en\" # only\r\n---\r\n"),
              ElementsAre("en"));
  EXPECT_THAT(card_languages("---\nlanguage: [en, 'vi']\ntags: [x]\n---\n"),
              ElementsAre("en", "vi"));
  EXPECT_THAT(card_languages("---\nlanguage:\n- en\n- vi\ntags:\n- de\n---\n"),
              ElementsAre("en", "vi"));
  EXPECT_THAT(card_languages("---\nlanguage:\n  - en\n  # and\n  - vi\n---\n"),
              ElementsAre("en", "vi"));
}

TEST(ModelCard, StatesNothingWhereTheFrontMatterDoesNot) {
  EXPECT_THAT(card_languages(""), IsEmpty());
  EXPECT_THAT(card_languages("# A\nlanguage: en\n"), IsEmpty());
  EXPECT_THAT(card_languages("---\nlanguage: en\n"), IsEmpty());
  EXPECT_THAT(card_languages("---\nlicense: mit\n---\nlanguage: en\n"), IsEmpty());
  EXPECT_THAT(card_languages("---\nlanguage:\ntags:\n- en\n---\n"), IsEmpty());
  EXPECT_THAT(card_languages("---\nlanguage: null\n---\n"), IsEmpty());
}

}  // namespace
}  // namespace millrace::model
