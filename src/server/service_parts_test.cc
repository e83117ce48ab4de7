// The service's small parts: lines of the log, filters of logs, endpoints, workers, ids, replies in
// XML.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "base/limits.h"
#include "server/log_filter.h"
#include "server/own_listener.h"
#include "server/request_ids.h"
#include "server/service_log.h"
#include "server/worker_pool.h"
#include "server/xml_replies.h"

namespace millrace::server {
namespace {

using ::testing::HasSubstr;

TEST(ServiceLog, ALineStaysALine) {
  const WallTime time = *parse_iso8601("2026-11-25T20:00:00Z") + std::chrono::milliseconds(7);
  const LogFields fields = {{"code", "A"}, {"text", "two\nlines \"quoted\" \xff"}};
  EXPECT_EQ(format_log_line(LogFormat::kText, time, LogLevel::kInfo, "a\nb", fields),
            "2026-11-25T20:00:00.007Z info a\\nb code=A text=\"two\\nlines \\\"quoted\\\" "
            "\xef\xbf\xbd\"\n");
  const std::string line =
      format_log_line(LogFormat::kJson, time, LogLevel::kError, "a\nb", fields);
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  const auto json = nlohmann::json::parse(line);
  EXPECT_EQ(json["time"], "2026-11-25T20:00:00.007Z");
  EXPECT_EQ(json["level"], "error");
  EXPECT_EQ(json["message"], "a\nb");
}

TEST(ServiceLog, WritesAllThatItTookAndCountsWhatItDropped) {
  std::mutex sink;
  std::string text;
  {
    ServiceLog log(LogFormat::kText, LogLevel::kInfo, [&](std::string_view lines) {
      const std::lock_guard lock(sink);
      text += lines;
    });
    const std::lock_guard lock(sink);  // whoever reads it has stopped
    for (size_t i = 0; i < limits::kServiceLogLinesMax * 3; ++i) log.write(LogLevel::kInfo, "x");
    log.write(LogLevel::kDebug, "unwanted");
  }
  EXPECT_THAT(text, HasSubstr("lines of the log were dropped"));
  EXPECT_EQ(text.find("unwanted"), std::string::npos);
  const auto lines = static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
  EXPECT_GE(lines, limits::kServiceLogLinesMax);
  EXPECT_LE(lines, 2 * limits::kServiceLogLinesMax + 2);
}

TEST(LogFilter, HasWordsPhrasesExclusionsAndChoices) {
  const auto matches = [](const char* pattern, const char* line) {
    return LogFilter(pattern).matches(line);
  };
  EXPECT_TRUE(matches("", "anything"));
  EXPECT_TRUE(matches("bad record", "a record is bad"));
  EXPECT_FALSE(matches("bad record", "bad"));
  EXPECT_FALSE(matches("\"bad record\"", "a record is bad"));
  EXPECT_TRUE(matches("record -bad", "a record"));
  EXPECT_FALSE(matches("record -bad", "a bad record"));
  EXPECT_TRUE(matches("?one ?two", "two"));
  EXPECT_FALSE(matches("?one ?two", "three"));
  EXPECT_NE(LogFilter("{ $.a = 1 }").problem(), "");
  EXPECT_EQ(LogFilter("\"unended").problem(), "");
}

TEST(OwnListener, IsFoundUnderItsNames) {
  const auto own = [](const char* url, const char* host = "127.0.0.1") {
    return leads_to_listener(url, host, 8800, "machine");
  };
  EXPECT_TRUE(own("http://127.0.0.1:8800"));
  EXPECT_TRUE(own("http://localhost:8800/path"));
  EXPECT_TRUE(own("http://[::1]:8800", "::1"));
  EXPECT_TRUE(own("http://machine:8800", "0.0.0.0"));
  EXPECT_TRUE(own("http://127.0.0.1:8800", "0.0.0.0"));
  EXPECT_TRUE(own("http://192.168.0.7:8800", "192.168.0.7"));
  EXPECT_FALSE(own("http://127.0.0.1:7070"));
  EXPECT_FALSE(own("http://elsewhere:8800", "0.0.0.0"));
  EXPECT_FALSE(own(""));
  EXPECT_FALSE(own("nonsense"));
  EXPECT_TRUE(leads_to_listener("https://127.0.0.1", "127.0.0.1", 443, ""));
}

TEST(WorkerPool, DoesWhatItTookAndRefusesTheRest) {
  std::atomic<int> done{0};
  std::atomic<bool> go{false};
  WorkerPool pool(1, 2);
  EXPECT_TRUE(pool.post([&] {
    while (!go) std::this_thread::yield();
    ++done;
  }));
  int taken = 1;
  for (int i = 0; i < 100; ++i) taken += pool.post([&] { ++done; }) ? 1 : 0;
  EXPECT_LE(taken, 4);
  go = true;
  pool.stop();
  EXPECT_EQ(done, taken);
  EXPECT_FALSE(pool.post([] {}));
}

TEST(RequestIds, AreUuidsAndNoTwoAreEqual) {
  RequestIds ids;
  std::set<std::string> seen;
  for (int i = 0; i < 10000; ++i) seen.insert(ids.next());
  EXPECT_EQ(seen.size(), 10000U);
  EXPECT_THAT(*seen.begin(),
              ::testing::MatchesRegex("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-"
                                      "[0-9a-f]{12}"));
}

TEST(XmlReplies, EscapeWhatTheyRepeat) {
  EXPECT_EQ(form_value("a=b&Action=Get%3Cx%3E+y", "Action"), "Get<x> y");
  EXPECT_EQ(form_value("a=b&Actionx=c", "Action"), "");
  const std::string body = query_reply("<x>&", "000000000000", "A", "id").body;
  EXPECT_THAT(body, HasSubstr("&lt;x&gt;&amp; is not an action"));
  ServerRequest request;
  request.method = "GET";
  request.path = "/<script>";
  EXPECT_THAT(s3_reply(request, "id").body, HasSubstr("<Resource>/&lt;script&gt;</Resource>"));
  request.method = "HEAD";
  EXPECT_EQ(s3_reply(request, "id").body, "");
}

}  // namespace
}  // namespace millrace::server
