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
            "[############............]  50%  3/10 objects  1,234,567 of >= 2,000,000 records  "
            "20576/s  1 errors  ETA 1:00");
  transform::Progress exact = half_done();
  exact.records_total_exact = true;
  EXPECT_NE(render_bar(exact, 200).find("1,234,567 of 2,000,000 records"), std::string::npos);
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
  for (size_t columns = 1; columns < 120; ++columns) {
    EXPECT_LT(render_bar(half_done(), columns).size(), columns);
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
