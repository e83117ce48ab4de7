#include "handler/clean.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "handler/handler_fixture.h"
#include "handler/nfc.h"
#include "handler/utf8.h"

namespace millrace::handler {
namespace {

std::string cleaned(CleanStep step, std::string_view text) {
  std::string out;
  apply_clean_step(step, text, &out);
  EXPECT_EQ(valid_utf8_prefix(out), out.size()) << text;
  return out;
}

TEST(CleanHtml, TagsGoAndBlocksPartWords) {
  const auto html = [](std::string_view text) { return cleaned(CleanStep::kHtml, text); };
  EXPECT_EQ(html("<b>Great</b> app"), "Great app");
  EXPECT_EQ(html("un<i>believ</i>able"), "unbelievable");
  EXPECT_EQ(html("one<br>two<BR/>three<p class=\"x\">four</p>"), "one two three four ");
  EXPECT_EQ(html("a<!-- gone > --> b"), "a b");
  EXPECT_EQ(html("x<script>if (a<b) y();</script>z"), "x z");
  EXPECT_EQ(html("<a title=\"1 > 0\">link</a>"), "link");
}

TEST(CleanHtml, WhatIsNoTagStays) {
  for (const std::string_view text :
       {"I <3 this", "a < b > c", "x <- y", "5 <", "<", "rated <b", "<i <b", "<!-- open"}) {
    EXPECT_EQ(cleaned(CleanStep::kHtml, text), text);
  }
}

TEST(CleanHtml, EntitiesBecomeWhatTheyStandFor) {
  const auto html = [](std::string_view text) { return cleaned(CleanStep::kHtml, text); };
  EXPECT_EQ(html("Q&amp;A &lt;3 &quot;ok&quot; it&#39;s &#x1F600; caf&eacute;"),
            "Q&A <3 \"ok\" it's \U0001F600 café");
  EXPECT_EQ(html("&lt;b&gt;"), "<b>");
  EXPECT_EQ(html("&amp;lt;"), "&lt;");
  EXPECT_EQ(html("&#150; &#0; &#xD800; &#x110000;"), "– \uFFFD \uFFFD \uFFFD");
  for (const std::string_view text : {"AT&T", "&nosuch;", "&amp", "&#;", "&#x;", "a & b;", "&;"}) {
    EXPECT_EQ(html(text), text);
  }
}

TEST(CleanUrls, GoWithoutThePunctuationOfTheSentence) {
  const auto urls = [](std::string_view text) { return cleaned(CleanStep::kUrls, text); };
  EXPECT_EQ(urls("see https://example.org/a?b=1, please"), "see , please");
  EXPECT_EQ(urls("(HTTP://EXAMPLE.ORG)"), "()");
  EXPECT_EQ(urls("www.example.org rocks"), " rocks");
  EXPECT_EQ(urls("nohttp://x.y and http:// alone"), "nohttp://x.y and http:// alone");
}

TEST(CleanMentions, GoButMailAddressesStay) {
  EXPECT_EQ(cleaned(CleanStep::kMentions, "@uber_support help! cc (@me)"), " help! cc ()");
  for (const std::string_view text : {"mail me@example.org", "meet @ 5", "@@x", "@"}) {
    EXPECT_EQ(cleaned(CleanStep::kMentions, text), text);
  }
}

TEST(CleanHashtags, KeepTheWord) {
  const auto tags = [](std::string_view text) { return cleaned(CleanStep::kHashtags, text); };
  EXPECT_EQ(tags("#awesome #2fast #été!"), "awesome 2fast été!");
  for (const std::string_view text : {"C# is #1", "&#39;", "a#b", "##", "#"}) {
    EXPECT_EQ(tags(text), text);
  }
}

TEST(CleanControl, GoButLineEndsAndTabsStay) {
  EXPECT_EQ(cleaned(CleanStep::kControl, std::string("a\0b\x07\x7F\u0085\tc\r\n", 11)),
            "ab\tc\r\n");
}

TEST(CleanWhitespace, RunsBecomeOneSpaceAndEndsAreTrimmed) {
  EXPECT_EQ(cleaned(CleanStep::kWhitespace, " \n a\u00A0\u3000b\t\tc "), "a b c");
  EXPECT_EQ(cleaned(CleanStep::kWhitespace, " \u2003 "), "");
}

TEST(CleanRepeats, ThreeRemain) {
  EXPECT_EQ(cleaned(CleanStep::kRepeats, "sooooo good!!!!!"), "sooo good!!!");
  EXPECT_EQ(cleaned(CleanStep::kRepeats, "😀😀😀😀😀"), "😀😀😀");
  EXPECT_EQ(cleaned(CleanStep::kRepeats, "100000 VND, aaa"), "100000 VND, aaa");
}

TEST(CleanMojibake, ReadsBackWhatWasReadAsCp1252) {
  const auto fixed = [](std::string_view text) { return cleaned(CleanStep::kMojibake, text); };
  EXPECT_EQ(fixed("cafÃ©"), "café");
  EXPECT_EQ(fixed("donâ€™t"), "don’t");
  EXPECT_EQ(fixed("ðŸ˜€"), "😀");
  EXPECT_EQ(fixed("Ã\u0081"), "Á");  // 81 is undefined in cp1252 and stands for itself
}

TEST(CleanMojibake, AnythingElseStays) {
  for (const std::string_view text : {"plain", "café", "naïve – yes", "cafÃ© 中", "Ã", "été"}) {
    EXPECT_EQ(cleaned(CleanStep::kMojibake, text), text);
  }
}

TEST(Cleaner, AppliesStepsInOrderAndCountsChanges) {
  Cleaner cleaner({CleanStep::kHtml, CleanStep::kWhitespace, CleanStep::kUrls});
  std::array<uint64_t, kCleanSteps> counts = {};
  EXPECT_EQ(cleaner.clean("<p>  good </p>", &counts), "good");
  EXPECT_EQ(cleaner.clean("fine", &counts), "fine");
  EXPECT_EQ(cleaner.clean("a  b", &counts), "a b");
  EXPECT_EQ(counts[static_cast<size_t>(CleanStep::kHtml)], 1U);
  EXPECT_EQ(counts[static_cast<size_t>(CleanStep::kWhitespace)], 2U);
  EXPECT_EQ(counts[static_cast<size_t>(CleanStep::kUrls)], 0U);
}

TEST(Nfc, ComposesOrdersAndKeepsExclusions) {
  const auto nfc = [](std::string_view text) { return cleaned(CleanStep::kNfc, text); };
  EXPECT_EQ(nfc("cafe\u0301"), "café");
  EXPECT_EQ(nfc("a\u0302\u0323"), "\u1EAD");  // marks in any order
  EXPECT_EQ(nfc("\u1100\u1161\u11A8"), "\uAC01");
  EXPECT_EQ(nfc("\uAC00\u11A8"), "\uAC01");
  EXPECT_EQ(nfc("\u212B"), "\u00C5");        // singleton
  EXPECT_EQ(nfc("\u0958"), "\u0915\u093C");  // composition exclusion
  EXPECT_EQ(nfc("a\u0301\u0301"), "á\u0301");
  EXPECT_EQ(nfc("plain"), "plain");
}

// "\u{1E0A}\u{0323}" of the Rust source, as UTF-8.
std::string rust_string(const std::string& line) {
  std::string out;
  for (size_t at = line.find("\\u{"); at != std::string::npos; at = line.find("\\u{", at + 1)) {
    append_utf8(static_cast<char32_t>(std::stoul(line.substr(at + 3), nullptr, 16)), &out);
  }
  return out;
}

TEST(Nfc, AgreesWithTheConformanceTests) {
  std::ifstream file(testing::test_data("data/conformance/unicode/normalization_tests.rs"));
  if (!file) GTEST_SKIP() << "no conformance data (MILLRACE_TEST_DATA)";
  std::string line;
  std::string source;
  size_t cases = 0;
  while (std::getline(file, line)) {
    if (line.find("  source:") != std::string::npos) source = rust_string(line);
    if (line.find("  nfc:") == std::string::npos) continue;
    EXPECT_EQ(cleaned(CleanStep::kNfc, source), rust_string(line));
    ++cases;
  }
  EXPECT_GT(cases, 10000U);
}

}  // namespace
}  // namespace millrace::handler
