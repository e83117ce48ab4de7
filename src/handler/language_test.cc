#include "handler/language.h"

#include <gtest/gtest.h>

namespace millrace::handler {
namespace {

TEST(LanguageNotice, PlainEnglishWithWhatReviewsCarryIsInside) {
  const LanguageNotice notice({"en"});
  for (const char* text :
       {"", "Great app", "I’m “happy” – really… 😀👍🏽",
        "Beyoncé at the café, how naïve", "Phở is good", "I love привет",
        "My driver Nguyễn was great", "best 寿司 in town", "100%", "¯\\_(ツ)_/¯", "ಠ_ಠ", "𝐆𝐨𝐨𝐝 app",
        "5€ für alles", "I ♥ this ❤️", "Москва is a nice place",
        "Đà Nẵng was nice and the driver was very polite"}) {
    EXPECT_FALSE(notice.looks_outside(text)) << text;
  }
}

TEST(LanguageNotice, OtherScriptsAndVietnameseAreOutside) {
  const LanguageNotice notice({"en-US"});
  for (const char* text :
       {"Ứng dụng này rất tốt", "tệ", "Rất tốt", "nạp lẹ rút tiền khi cần thì thường xuyên lỗi",
        "ứng dụng", "በጣም ጥሩ መተግበሪያ", "Очень плохо", "很好用", "好", "とても良い", "최고예요",
        "تطبيق رائع", "बहुत अच्छा", "แอปดีมาก", "πολύ καλό"}) {
    EXPECT_TRUE(notice.looks_outside(text)) << text;
  }
}

TEST(LanguageNotice, DecomposedVietnameseIsVietnamese) {
  EXPECT_TRUE(LanguageNotice({"en"}).looks_outside("ra\u0302\u0301t ha\u0323y, to\u0323\u0302t"));
}

TEST(LanguageNotice, EveryStatedLanguageIsInside) {
  const LanguageNotice notice({"en", "vi", "ru"});
  EXPECT_FALSE(notice.looks_outside("Ứng dụng này rất tốt"));
  EXPECT_FALSE(notice.looks_outside("Очень плохо"));
  EXPECT_FALSE(notice.looks_outside("good"));
  EXPECT_TRUE(notice.looks_outside("很好用"));
}

TEST(LanguageNotice, AModelOfAnotherScriptFindsEnglishOutside) {
  const LanguageNotice notice({"zh"});
  EXPECT_TRUE(notice.looks_outside("a very good app"));
  EXPECT_FALSE(notice.looks_outside("iPhone 上很好用"));
}

TEST(LanguageNotice, WithoutKnownLanguagesNothingIsOutside) {
  EXPECT_FALSE(LanguageNotice({}).looks_outside("很好用"));
  EXPECT_FALSE(LanguageNotice({"en", "multilingual"}).looks_outside("很好用"));
}

}  // namespace
}  // namespace millrace::handler
