#include "handler/native_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace::handler {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using Settings = std::map<std::string, std::string>;

const std::vector<std::string> kLabels = {"NEGATIVE", "POSITIVE"};

NativeOptions parsed(const Settings& settings) {
  auto options = parse_native_options(settings, kLabels);
  EXPECT_TRUE(options) << options.error().message;
  return options.value_or(NativeOptions());
}

std::string refusal(const Settings& settings) {
  const auto options = parse_native_options(settings, kLabels);
  if (options) return "accepted";
  EXPECT_EQ(options.error().code, Code::kInvalidArgument);
  return options.error().message;
}

TEST(NativeOptions, DefaultsWhereNothingIsSetOrSetEmpty) {
  for (const Settings& settings : {Settings{}, Settings{{"EMPTY", ""}, {"THRESHOLDS", ""}}}) {
    const NativeOptions options = parsed(settings);
    EXPECT_EQ(options.labels, kLabels);
    EXPECT_EQ(options.empty, EmptyText::kDefault);
    EXPECT_EQ(options.output, OutputShape::kDefault);
    EXPECT_EQ(options.result_prefix, "predicted_");
    EXPECT_TRUE(options.thresholds.empty());
  }
}

TEST(NativeOptions, ReadsEverySetting) {
  const NativeOptions options = parsed({{"TEXT_COLUMN", "review.text"},
                                        {"EMPTY", "otherwise"},
                                        {"INVALID_UTF8", "replace"},
                                        {"OUTPUT", "columns"},
                                        {"SCORE_DIGITS", "4"},
                                        {"THRESHOLDS", R"({"POSITIVE":0.6,"NEGATIVE":0.3})"},
                                        {"OTHERWISE", "NEUTRAL"},
                                        {"CLEAN", "mojibake, html,nfc"},
                                        {"RESULT_PREFIX", "ml_"},
                                        {"SOMETHING_ELSE", "is the caller's"}});
  EXPECT_EQ(options.text_column, "review.text");
  EXPECT_EQ(options.empty, EmptyText::kOtherwise);
  EXPECT_EQ(options.invalid_utf8, InvalidUtf8::kReplace);
  EXPECT_EQ(options.output, OutputShape::kColumns);
  EXPECT_EQ(options.score_digits, 4);
  EXPECT_THAT(options.thresholds, ElementsAre(Pair(1, 0.6), Pair(0, 0.3)));
  EXPECT_EQ(options.otherwise, "NEUTRAL");
  EXPECT_THAT(options.clean, ElementsAre(CleanStep::kMojibake, CleanStep::kHtml, CleanStep::kNfc));
  EXPECT_EQ(options.result_prefix, "ml_");
}

TEST(NativeOptions, LabelsAreRenamedEverywhere) {
  const NativeOptions options =
      parsed({{"LABELS", R"({"NEGATIVE":"schlecht"})"}, {"THRESHOLDS", R"({"schlecht":1})"}});
  EXPECT_THAT(options.labels, ElementsAre("schlecht", "POSITIVE"));
  EXPECT_THAT(options.thresholds, ElementsAre(Pair(0, 1.0)));
}

TEST(NativeOptions, RefusalsNameSettingValueAndWhatIsAllowed) {
  EXPECT_THAT(refusal({{"EMPTY", "skip"}}),
              AllOf(HasSubstr("MILLRACE_EMPTY='skip'"),
                    HasSubstr("allowed: classify, blank, otherwise, error")));
  EXPECT_THAT(refusal({{"OUTPUT", "Logits"}}),
              AllOf(HasSubstr("MILLRACE_OUTPUT='Logits'"), HasSubstr("columns, logits")));
  EXPECT_THAT(refusal({{"INVALID_UTF8", "drop"}}), HasSubstr("allowed: error, replace"));
  EXPECT_THAT(refusal({{"SCORE_DIGITS", "-1"}}), HasSubstr("allowed: 0 to 17"));
  EXPECT_THAT(refusal({{"SCORE_DIGITS", "4 "}}), HasSubstr("allowed: 0 to 17"));
  EXPECT_THAT(refusal({{"CLEAN", "html,spelling"}}),
              AllOf(HasSubstr("'spelling' is no cleaning step"), HasSubstr("mojibake")));
  EXPECT_THAT(refusal({{"RESULT_PREFIX", "a\nb"}}), HasSubstr("without control characters"));
}

TEST(NativeOptions, RefusalsCallASettingAsItWasMade) {
  const std::map<std::string, std::string> written = {{"EMPTY", "--empty"},
                                                      {"OTHERWISE", "--otherwise (MILLRACE_X)"}};
  const auto options = parse_native_options({{"EMPTY", "skip"}}, {"A"}, written);
  ASSERT_FALSE(options);
  EXPECT_THAT(options.error().message, ::testing::StartsWith("--empty='skip': allowed: classify"));
  const Status checked = check_native_options({{"EMPTY", "otherwise"}}, written);
  ASSERT_FALSE(checked);
  EXPECT_THAT(checked.error().message,
              ::testing::StartsWith("--empty='otherwise': needs --otherwise (MILLRACE_X), "));
}

TEST(NativeOptions, RefusesThresholdsThatCannotBe) {
  EXPECT_THAT(refusal({{"THRESHOLDS", R"({"MAYBE":0.3})"}}),
              AllOf(HasSubstr("no label 'MAYBE'"), HasSubstr("NEGATIVE, POSITIVE")));
  EXPECT_THAT(refusal({{"THRESHOLDS", R"({"NEGATIVE":1.01})"}}), HasSubstr("from 0 to 1"));
  EXPECT_THAT(refusal({{"THRESHOLDS", R"({"NEGATIVE":"0.3"})"}}), HasSubstr("from 0 to 1"));
  EXPECT_THAT(refusal({{"THRESHOLDS", "[0.3]"}}), HasSubstr("not a JSON object"));
  EXPECT_THAT(refusal({{"THRESHOLDS", "{"}}), HasSubstr("not a JSON object"));
  EXPECT_THAT(refusal({{"THRESHOLDS", R"({"NEGATIVE":0.3,"NEGATIVE":0.4})"}}), HasSubstr("twice"));
}

TEST(NativeOptions, RefusesWhatExcludesEachOther) {
  for (const char* output : {"logits", "embedding"}) {
    EXPECT_THAT(refusal({{"OUTPUT", output}, {"THRESHOLDS", R"({"NEGATIVE":0.3})"}}),
                HasSubstr(std::string("MILLRACE_OUTPUT=") + output));
    EXPECT_THAT(refusal({{"OUTPUT", output}, {"EMPTY", "otherwise"}, {"OTHERWISE", "N"}}),
                HasSubstr("allowed with it: classify, blank, error"));
  }
  EXPECT_THAT(refusal({{"EMPTY", "otherwise"}}), HasSubstr("needs MILLRACE_OTHERWISE"));
}

TEST(NativeOptions, RefusesLabelsThatCannotBe) {
  EXPECT_THAT(refusal({{"LABELS", R"({"LABEL_0":"BAD"})"}}),
              AllOf(HasSubstr("no label 'LABEL_0'"), HasSubstr("NEGATIVE, POSITIVE")));
  EXPECT_THAT(refusal({{"LABELS", R"({"NEGATIVE":1})"}}), HasSubstr("is not a text"));
  EXPECT_THAT(refusal({{"LABELS", R"({"NEGATIVE":"POSITIVE"})"}}),
              HasSubstr("two labels would be named 'POSITIVE'"));
}

TEST(NativeOptions, HelpKnowsEverySettingOnce) {
  std::map<std::string, int> seen;
  for (const NativeOptionHelp& help : native_option_help()) {
    ++seen[help.name];
    const bool is_switch = std::string(help.name) == "ECHO_INPUT";
    EXPECT_EQ(std::string(help.values).empty(), is_switch) << help.name;
    EXPECT_NE(std::string(help.help), "");
  }
  EXPECT_EQ(seen.size(), 11U);
  EXPECT_EQ(native_option_help().size(), 11U);
}

}  // namespace
}  // namespace millrace::handler
