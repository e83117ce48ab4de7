// What jobs say of their failures, in SageMaker's words.
#include "jobs/failure_reason.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/utf8.h"

namespace millrace::jobs {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

transform::JobReport failed(Code code, const std::string& message) {
  transform::JobReport report;
  report.status = transform::JobReport::Status::kFailed;
  report.failed_objects = 1;
  report.objects.resize(2);
  report.objects[1].input = "s3://b/k";
  report.objects[1].error = message;
  report.objects[1].error_code = code;
  return report;
}

TEST(FailureReason, NamesTheKindThenRecordAndCause) {
  EXPECT_EQ(failure_reason(failed(Code::kBadInput, "s3://b/k: record 7 (byte 812): no column")),
            "ClientError: See job logs for more information. "
            "s3://b/k: record 7 (byte 812): no column");
  EXPECT_THAT(failure_reason(failed(Code::kUnavailable,
                                    "s3://b/k: Bad HTTP status received from algorithm: 500: x")),
              StartsWith("AlgorithmError: See job logs for more information"));
  EXPECT_THAT(failure_reason(unavailable("http://m: the model failed to respond to /ping")),
              StartsWith("AlgorithmError: Model container failed to respond to ping."));
  EXPECT_THAT(failure_reason(unavailable("get s3://b/k: 503 SlowDown")),
              StartsWith("InternalServerError: We encountered an internal error. Please try "
                         "again. get s3://b/k"));
}

TEST(FailureReason, FitsTheApisBoundWithoutSplittingACharacter) {
  std::string message = "x";
  for (int i = 0; i < 1000; ++i) message += "\xe1\xba\xbf\n";
  const std::string reason = failure_reason(bad_input(message));
  EXPECT_LE(reason.size(), 1024U);
  EXPECT_TRUE(is_utf8(reason));
  EXPECT_THAT(reason, EndsWith("..."));
  EXPECT_EQ(reason.find('\n'), std::string::npos);
}

TEST(FailureReason, CountsTheObjectsWhereSeveralFailed) {
  transform::JobReport report = failed(Code::kBadInput, "s3://b/k: record 0: bad");
  report.failed_objects = 2;
  EXPECT_THAT(failure_reason(report), HasSubstr("2 of 2 objects failed; the first: s3://b/k"));
}

TEST(FailureReason, LogLinesHaveSageMakersForm) {
  transform::ObjectReport object;
  object.input = "s3://b/k";
  object.error = "s3://b/k: record 7 (byte 812): ClientError: 400: {\"code\":400,\n\"x\":1}";
  EXPECT_EQ(object_error_lines(object),
            "b/k: ClientError: 400\nb/k: \nb/k: Message:\nb/k: {\"code\":400,\nb/k: \"x\":1}\n"
            "b/k: [millrace] this was the answer to record 7 (byte 812)");
  object.error = "s3://b/k: record 7: Failed to parse input as CSV";
  EXPECT_EQ(object_error_lines(object), "b/k: record 7: Failed to parse input as CSV");
}

}  // namespace
}  // namespace millrace::jobs
