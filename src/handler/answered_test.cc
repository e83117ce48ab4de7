// What handlers tell of a request while it is under way: all of it in the end, nothing twice.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "base/limits.h"
#include "handler/handler_fixture.h"
#include "handler/native_handler.h"
#include "handler/pipeline_handler.h"
#include "handler/result_cache.h"
#include "handler/worker_queue.h"
#include "model/model_fixture.h"

namespace millrace::handler {
namespace {

using testing::ask;
using testing::request_of;
using testing::tiny_handler;
using testing::tiny_model;

constexpr const char* kLines = "application/jsonlines";

struct Told {
  std::atomic<uint64_t> records{0}, bytes{0}, calls{0};

  void listen_to(InvokeRequest* request) {
    request->answered = [this](uint32_t more_records, uint64_t more_bytes) {
      records += more_records;
      bytes += more_bytes;
      ++calls;
    };
  }
};

// Of lengths that differ, so that they are in many packs; every 50th cannot be read.
std::string many_lines(size_t count) {
  std::string body;
  for (size_t i = 0; i < count; ++i) {
    const std::string text = std::string(1 + i % 30, static_cast<char>('a' + i % 26));
    body += i % 50 == 49 ? "{\n" : "{\"inputs\":[\"" + text + "\",\"b" + text + "\"]}\n";
  }
  return body;
}

// Records end with line ends, which are no part of them.
void expect_all_told(const Told& told, const InvokeRequest& request) {
  EXPECT_EQ(told.records, request.records.size());
  EXPECT_LE(told.bytes, request.body.size());
  EXPECT_GE(told.bytes + 2 * request.records.size(), request.body.size());
}

TEST(AnsweredRecords, TheNativeModelTellsThemPackByPack) {
  const auto handler = tiny_handler();
  InvokeRequest request = request_of(kLines, many_lines(400));
  Told told;
  told.listen_to(&request);
  const auto reply = ask(*handler, request);
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->errors.size(), 8U);
  expect_all_told(told, request);
  EXPECT_GT(told.calls, 20U);
}

TEST(AnsweredRecords, ThoseWithoutRowsAreToldToo) {
  const auto handler = tiny_handler();
  for (const std::string body : {"\"\"\n\"\"", "{", "\"\"\n{\n\"a\""}) {
    InvokeRequest request = request_of(kLines, body);
    Told told;
    told.listen_to(&request);
    ASSERT_TRUE(ask(*handler, request));
    expect_all_told(told, request);
  }
}

TEST(AnsweredRecords, ARecordOfManySlicesIsToldOnceAndItsBytesByAndBy) {
  const auto handler = tiny_handler();
  InvokeRequest request = request_of("text/plain", many_lines(4000), "", /*lines=*/false);
  ASSERT_GT(request.body.size(), 2 * limits::kSliceBytesMax);
  Told told;
  told.listen_to(&request);
  ASSERT_TRUE(ask(*handler, request));
  EXPECT_EQ(told.records, 1U);
  EXPECT_EQ(told.bytes, request.body.size());
  EXPECT_GT(told.calls, 20U);
}

TEST(AnsweredRecords, ThoseFromTheResultCacheAreToldToo) {
  const model::testing::TempFolder folder;
  const auto model = tiny_model();
  const NativeOptions options = testing::options_for(model, {});
  for (int run = 0; run < 2; ++run) {
    const auto cache =
        *open_result_cache(*model, options, folder.path(), limits::kResultCacheBytesMin);
    const auto handler = *make_native_handler(model, options, 2, cache);
    InvokeRequest request = request_of(kLines, many_lines(100));
    Told told;
    told.listen_to(&request);
    const auto reply = ask(*handler, request);
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->counts.cached > 0, run == 1);
    expect_all_told(told, request);
  }
}

TEST(AnsweredRecords, OfAPipelineThoseOfTheLastStep) {
  PipelineHandlerOptions options;
  options.steps.push_back({"first", tiny_handler()});
  options.steps.push_back({"last", tiny_handler({{"TEXT_COLUMN", "0"}})});
  options.max_concurrent_transforms = 2;
  const auto handler = make_pipeline_handler(std::move(options));
  InvokeRequest request = request_of("text/csv", "a\nbb\nccc");
  request.accept = "text/csv";
  Told told;
  told.listen_to(&request);
  ASSERT_TRUE(ask(*handler, request));
  EXPECT_EQ(told.records, 3U);
  EXPECT_LE(told.bytes, request.body.size());
}

TEST(AnsweredRecords, AWorkerTellsARequestThatItAnsweredAndNoOther) {
  for (const bool good : {true, false}) {
    WorkerQueue::Invocation invocation;
    invocation.request.body = "a\nb\n";
    invocation.request.records = {{0, 1}, {2, 1}};
    Told told;
    told.listen_to(&invocation.request);
    auto reply = invocation.reply.get_future();
    invocation.answer(good ? Result<InvokeReply>(InvokeReply{}) : fail(bad_input("no")));
    EXPECT_EQ(static_cast<bool>(reply.get()), good);
    EXPECT_EQ(told.records, good ? 2U : 0U);
    EXPECT_EQ(told.bytes, good ? 4U : 0U);
  }
}

}  // namespace
}  // namespace millrace::handler
