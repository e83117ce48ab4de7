// The same record gives the same bytes, whatever stands beside it, however many threads there are;
// and the scheduler neither loses nor holds up a request, whatever ends first.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <numeric>
#include <random>
#include <thread>

#include "base/limits.h"
#include "handler/classify_texts.h"
#include "handler/handler_fixture.h"
#include "handler/measure_engine.h"
#include "handler/native_handler.h"

namespace millrace::handler {
namespace {

using testing::ask;
using testing::request_of;
using testing::Settings;
using testing::tiny_handler;
using testing::tiny_model;

constexpr const char* kLines = "application/jsonlines";

// Short and long, with duplicates, blanks, lists and pairs.
std::vector<std::string> some_records(size_t count, uint32_t seed = 3) {
  std::mt19937 random(seed);
  std::vector<std::string> records;
  for (size_t i = 0; i < count; ++i) {
    std::string text;
    for (size_t words = random() % 12; words > 0; --words) {
      text += static_cast<char>('a' + random() % 26);
      text += random() % 3 == 0 ? " " : "";
    }
    switch (random() % 8) {
      case 0:
        records.push_back(R"({"inputs":[")" + text + R"(","b",null]})");
        break;
      case 1:
        records.push_back(R"({"inputs":{"text":")" + text + R"(","text_pair":"c"}})");
        break;
      default:
        records.push_back("\"" + text + "\"");
    }
  }
  return records;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string out;
  for (const std::string& line : lines) out += (&line == &lines[0] ? "" : "\n") + line;
  return out;
}

// The reply to each record; requests of `per_request` records, all in flight together.
std::vector<std::string> replies(InferenceHandler& handler, const std::vector<std::string>& records,
                                 size_t per_request) {
  std::vector<std::future<Result<InvokeReply>>> futures;
  for (size_t i = 0; i < records.size(); i += per_request) {
    const size_t end = std::min(i + per_request, records.size());
    futures.push_back(handler.invoke(
        request_of(kLines, joined({records.begin() + static_cast<ptrdiff_t>(i),
                                   records.begin() + static_cast<ptrdiff_t>(end)}))));
  }
  std::vector<std::string> out;
  for (auto& future : futures) {
    const auto reply = future.get();
    EXPECT_TRUE(reply) << reply.error().message;
    if (!reply) continue;
    for (const RecordSpan& span : reply->records) {
      out.push_back(reply->body.substr(span.offset, span.length));
    }
  }
  return out;
}

TEST(SameRowSameAnswer, WhateverThreadsRequestsAndOrder) {
  const std::vector<std::string> records = some_records(2000);
  for (const Settings& settings : {Settings{}, Settings{{"OUTPUT", "embedding"}}}) {
    const auto one = tiny_handler(settings, 1);
    const auto three = tiny_handler(settings, 3);
    const std::vector<std::string> expected = replies(*one, records, records.size());
    ASSERT_EQ(expected.size(), records.size());
    EXPECT_EQ(replies(*three, records, records.size()), expected);
    EXPECT_EQ(replies(*three, records, 7), expected);
    EXPECT_EQ(replies(*one, records, 100), expected);

    std::vector<size_t> order(records.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::shuffle(order.begin(), order.end(), std::mt19937(9));
    std::vector<std::string> shuffled;
    for (const size_t i : order) shuffled.push_back(records[i]);
    const std::vector<std::string> answers = replies(*three, shuffled, 64);
    for (size_t i = 0; i < order.size(); ++i) ASSERT_EQ(answers[i], expected[order[i]]);
  }
}

TEST(SameRowSameAnswer, OneRecordToARequestOrManyAlone) {
  const std::vector<std::string> records = some_records(150);
  const auto handler = tiny_handler({}, 3);
  const std::vector<std::string> expected = replies(*handler, records, records.size());
  EXPECT_EQ(replies(*handler, records, 1), expected);
  for (size_t i = 0; i < 20; ++i) {
    EXPECT_EQ(replies(*handler, {records[i]}, 1)[0], expected[i]);
  }
}

TEST(SameRowSameAnswer, WholeObjectsCutIntoSlicesAndLines) {
  const std::vector<std::string> records = some_records(6000);
  const std::string body = joined(records);
  ASSERT_GT(body.size(), 2 * limits::kSliceBytesMax / 2);
  const auto handler = tiny_handler({}, 3);
  const auto lines = ask(*handler, request_of(kLines, body));
  const auto whole = ask(*handler, request_of(kLines, body, "", /*lines=*/false));
  ASSERT_TRUE(lines && whole);
  EXPECT_EQ(whole->body, lines->body);
  EXPECT_EQ(whole->records.size(), 1U);
  const auto documents = ask(*handler, request_of("application/json", body, "", false));
  ASSERT_TRUE(documents);
  EXPECT_EQ(documents->body, lines->body);
}

TEST(SameRowSameAnswer, LargeCsvObjectsAreCutOutsideQuotes) {
  std::string body;
  std::string rows;
  for (int i = 0; i < 4000; ++i) {
    body += "\"good\n" + std::to_string(i % 50) + " \"\"day\"\"\"\n";
  }
  ASSERT_GT(body.size(), limits::kSliceBytesMax);
  const auto handler = tiny_handler({}, 3);
  const auto whole = ask(*handler, request_of("text/csv", body, "", false));
  ASSERT_TRUE(whole);
  EXPECT_TRUE(whole->errors.empty());
  EXPECT_EQ(whole->counts.rows, 4000U);
  EXPECT_EQ(std::count(whole->body.begin(), whole->body.end(), '\n'), 3999);
}

TEST(Scheduler, DuplicatesAreEncodedOnce) {
  const auto handler = tiny_handler();
  const auto reply = ask(*handler, request_of(kLines, "\"a\"\n\"A\"\n\"b\"\n\"a\""));
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->counts.duplicates, 2U);
}

TEST(Scheduler, RowsThatDifferOnlyInTokenTypesAreBothEncoded) {
  const auto handler = tiny_handler({{"OUTPUT", "logits"}}, 1, {.bert = true});
  // "[CLS] a [SEP] b [SEP]" either way; the second text of a pair has other token types.
  const auto reply =
      ask(*handler, request_of(kLines, R"({"inputs":["a [SEP] b"]})"
                                       "\n"
                                       R"({"inputs":[{"text":"a","text_pair":"b"}]})"));
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->counts.duplicates, 0U);
  const auto& records = reply->records;
  EXPECT_NE(reply->body.substr(records[0].offset, records[0].length),
            reply->body.substr(records[1].offset, records[1].length));
}

TEST(Scheduler, ManyThreadsMayInvoke) {
  const std::vector<std::string> records = some_records(300);
  const auto handler = tiny_handler({}, 3);
  const std::vector<std::string> expected = replies(*handler, records, records.size());
  std::vector<std::thread> feeders;
  std::atomic<int> right{0};
  for (size_t per_request : {1U, 5U, 64U, 300U}) {
    feeders.emplace_back([&, per_request] {
      if (replies(*handler, records, per_request) == expected) ++right;
    });
  }
  for (std::thread& feeder : feeders) feeder.join();
  EXPECT_EQ(right, 4);
}

TEST(Scheduler, ACancelledRequestIsAnsweredAsCancelledAndOthersAreNot) {
  const auto handler = tiny_handler({}, 2);
  const std::vector<std::string> records = some_records(3000);
  InvokeRequest doomed = request_of(kLines, joined(records));
  const CancelToken token = doomed.cancel;
  auto cancelled = handler->invoke(std::move(doomed));
  auto kept = handler->invoke(request_of(kLines, joined(records)));
  token.cancel();
  const auto reply = cancelled.get();
  // It may have been done already; but nothing else than a whole reply or kCancelled may come.
  if (!reply) {
    EXPECT_EQ(reply.error().code, Code::kCancelled);
  }
  const auto whole = kept.get();
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->records.size(), records.size());
}

TEST(Scheduler, ARequestCancelledBeforeItBeginsIsNeverWorkedOn) {
  const auto handler = tiny_handler();
  InvokeRequest request = request_of(kLines, "\"a\"");
  request.cancel.cancel();
  const auto reply = ask(*handler, std::move(request));
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, Code::kCancelled);
}

TEST(Scheduler, TheEndOfTheHandlerAnswersWhatIsInFlight) {
  std::vector<std::future<Result<InvokeReply>>> futures;
  {
    const auto handler = tiny_handler({}, 2);
    const std::string body = joined(some_records(3000));
    for (int i = 0; i < 4; ++i) futures.push_back(handler->invoke(request_of(kLines, body)));
  }
  for (auto& future : futures) {
    const auto reply = future.get();
    if (!reply) {
      EXPECT_EQ(reply.error().code, Code::kCancelled);
    }
  }
}

TEST(Scheduler, ASmallJobIsNotHeldUpByALargeOne) {
  const auto handler = tiny_handler({}, 1);
  std::vector<std::future<Result<InvokeReply>>> large;
  const std::string body = joined(some_records(3000));
  for (int i = 0; i < 6; ++i) {
    InvokeRequest request = request_of(kLines, body);
    request.job = "large";
    large.push_back(handler->invoke(std::move(request)));
  }
  InvokeRequest small = request_of(kLines, "\"a\"");
  small.job = "small";
  ASSERT_TRUE(ask(*handler, std::move(small)));
  EXPECT_NE(large.back().wait_for(std::chrono::seconds(0)), std::future_status::ready);
  for (auto& future : large) EXPECT_TRUE(future.get());
}

TEST(Scheduler, OfOneJobTheLowestOrderIsAnsweredFirst) {
  const auto handler = tiny_handler({}, 1);
  const std::string body = joined(some_records(3000));
  const auto submit = [&](uint64_t order) {
    InvokeRequest request = request_of(kLines, body);
    request.job = "job";
    request.order = order;
    return handler->invoke(std::move(request));
  };
  std::vector<std::future<Result<InvokeReply>>> later;
  for (int i = 0; i < 6; ++i) later.push_back(submit(7));
  ASSERT_TRUE(submit(2).get());
  EXPECT_NE(later[1].wait_for(std::chrono::seconds(0)), std::future_status::ready);
  for (auto& future : later) EXPECT_TRUE(future.get());
}

TEST(Scheduler, MoreThanTheQueueHoldsIsTakenInTime) {
  const auto handler = tiny_handler({}, 2);
  // Each is blank, so that only the queue is busy; together they are larger than the queue.
  const std::string body(3 * limits::kMiB, ' ');
  std::vector<std::future<Result<InvokeReply>>> futures;
  for (int i = 0; i < 14; ++i) {
    futures.push_back(handler->invoke(request_of("text/plain", body, "", false)));
  }
  for (auto& future : futures) EXPECT_EQ(future.get()->body, ",");
}

TEST(ClassifyTexts, GivesWhatTheHandlerGives) {
  const auto model = tiny_model();
  const std::vector<std::string> texts = {"good", "", "so bad", "g\xFFod"};
  const auto results = classify_texts(model, testing::options_for(model), texts, 2);
  ASSERT_TRUE(results);
  ASSERT_EQ(results->size(), 4U);
  const auto handler = tiny_handler();
  for (size_t i = 0; i < texts.size(); ++i) {
    EXPECT_EQ((*results)[i].label + "," + (*results)[i].score_text,
              testing::answer(*handler, "text/csv", texts[i]));
  }
  EXPECT_TRUE((*results)[1].scores.empty());
  EXPECT_EQ((*results)[0].logits.size(), 2U);
}

TEST(ClassifyTexts, NamesTheTextThatIsRefused) {
  const auto model = tiny_model();
  const std::vector<std::string> texts = {"good", "", ""};
  const auto options = testing::options_for(model, {{"EMPTY", "error"}});
  const auto results = classify_texts(model, options, texts, 1);
  ASSERT_FALSE(results);
  EXPECT_THAT(results.error().message, ::testing::StartsWith("text 1: the text is empty"));
  EXPECT_TRUE(classify_texts(model, options, {}, 1)->empty());
}

TEST(MeasureEngine, CountsSequencesTokensAndDuplicates) {
  const auto model = tiny_model();
  const std::vector<std::string> texts = {"a b", "a b", "c"};
  const auto plain = measure_engine(model, texts, 2, /*deduplicate=*/false);
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->sequences, 3U);
  EXPECT_EQ(plain->tokens, 11U);
  EXPECT_EQ(plain->duplicates, 0U);
  EXPECT_GT(plain->seconds, 0);
  EXPECT_EQ(measure_engine(model, texts, 1, /*deduplicate=*/true)->duplicates, 1U);
}

}  // namespace
}  // namespace millrace::handler
