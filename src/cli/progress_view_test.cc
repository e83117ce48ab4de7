// What the progress bar and its JSON twin say.
#include "cli/progress_view.h"

#include <gtest/gtest.h>

namespace millrace::cli {
namespace {

transform::Progress half_done() {
  transform::Progress p;
  p.objects_done = 3;
  p.objects_total = 10;
  p.records_done = 1234567;
  p.records_total = 2000000;
  p.bytes_done = 500;
  p.bytes_total = 1000;
  p.objects_failed = 1;
  p.seconds = 600;
  p.records_per_s = 20576;
  p.bytes_per_s = 500.0 / 60;
  return p;
}

TEST(ProgressBar, ShowsCountsRateErrorsAndEta) {
  EXPECT_EQ(render_bar(half_done(), 200),
            "[############............]  50%  1,234,567 of >= 2,000,000 records  20,576/s  "
            "ETA 1:00  1 error  3/10 objects");
  transform::Progress exact = half_done();
  exact.records_total_exact = true;
  EXPECT_NE(render_bar(exact, 200).find("1,234,567 of 2,000,000 records"), std::string::npos);
}

TEST(ProgressBar, KeepsPercentRecordsRateEtaAndErrorsOnNarrowTerminals) {
  EXPECT_EQ(render_bar(half_done(), 80),
            " 50%  1,234,567 of >= 2,000,000 records  20,576/s  ETA 1:00  1 error");
  EXPECT_EQ(render_bar(half_done(), 60), " 50%  1.23M of >=2.00M  20.6k/s  ETA 1:00  1 error");
  transform::Progress large = half_done();
  large.records_done = 1234567890;
  large.records_total = 98765432100;
  large.bytes_total = 500000;
  large.records_failed = 999;
  EXPECT_EQ(render_bar(large, 60), "  0%  1.23G of >=98.8G  20.6k/s  ETA 16:39:00  1.00k errors");
}

TEST(ProgressBar, IsNotFullBeforeAllIsDone) {
  transform::Progress p = half_done();
  p.bytes_done = 999;
  EXPECT_NE(render_bar(p, 80).find(" 99%"), std::string::npos);
}

TEST(ProgressBar, EndsWithTheNameOfAnObjectUnderWayAsFarAsThereIsRoom) {
  transform::Progress p = half_done();
  p.objects_total = 1;
  p.records_total = 1300000;
  p.running = {"reviews/2024/part-00012.csv"};
  p.objects_running = 1;
  EXPECT_EQ(render_bar(p, 84),
            " 50%  1,234,567 of >= 1,300,000 records  20,576/s  ETA 1:00  1 error  "
            "...-00012.csv");
  EXPECT_TRUE(render_bar(p, 200).ends_with("  1 error  reviews/2024/part-00012.csv"));
  p.objects_running = 4;
  EXPECT_TRUE(render_bar(p, 200).ends_with("part-00012.csv +3"));
}

TEST(ProgressBar, ShowsNothingOfANameThatATerminalWouldActOn) {
  transform::Progress p = half_done();
  p.objects_running = 1;
  p.running = {
      "a\x1b[2J\n\xC2\x9B"
      "b\xC3\xA9.csv"};
  EXPECT_TRUE(render_bar(p, 200).ends_with("  a?[2J??b\xC3\xA9.csv"));
  p.running = {"a\xFF.csv"};
  EXPECT_TRUE(render_bar(p, 200).ends_with("  a?.csv"));
}

TEST(ProgressJson, NamesTheObjectsUnderWayAndTheRateOfTheLastMinute) {
  transform::Progress p = half_done();
  p.objects_kept = 2;
  p.objects_running = 1;
  p.running = {"in/a\xFF.csv"};
  EXPECT_EQ(render_json(p),
            "{\"objects_done\":3,\"objects_failed\":1,\"objects_kept\":2,\"objects_running\":1,"
            "\"objects_total\":10,\"records_done\":1234567,\"records_failed\":0,"
            "\"records_total\":2000000,\"records_total_exact\":false,\"bytes_done\":500,"
            "\"bytes_total\":1000,\"seconds\":600.0,\"records_per_s\":20576.0,"
            "\"eta_seconds\":60.0,\"running\":[\"in/a\xEF\xBF\xBD.csv\"]}");
}

TEST(ProgressBar, NeverWrapsOnNarrowTerminals) {
  transform::Progress p = half_done();
  p.objects_running = 12;
  p.running = {"some/folder/of/many/with-a-long-name.csv"};
  for (size_t columns = 1; columns < 200; ++columns) {
    EXPECT_LT(render_bar(p, columns).size(), columns);
  }
}

TEST(ProgressBar, HasNoEtaBeforeAnythingIsDone) {
  transform::Progress p;
  p.bytes_total = 10;
  p.objects_total = 1;
  EXPECT_NE(render_bar(p, 200).find("ETA -"), std::string::npos);
  EXPECT_NE(render_json(p).find("\"eta_seconds\":null"), std::string::npos);
}

TEST(Duration, ReadsAsAClock) {
  EXPECT_EQ(render_duration(7), "0:07");
  EXPECT_EQ(render_duration(754), "12:34");
  EXPECT_EQ(render_duration(3723), "1:02:03");
}

}  // namespace
}  // namespace millrace::cli
