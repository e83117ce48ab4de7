// Errors, results and cancel tokens: the vocabulary that every room speaks.
#include <gtest/gtest.h>

#include <cerrno>

#include "base/cancel.h"
#include "base/result.h"

namespace millrace {
namespace {

Result<int> half(int n) {
  if (n % 2 != 0) return fail(bad_input("odd"));
  return n / 2;
}

Result<int> quarter(int n) {
  MR_ASSIGN(const int h, half(n));
  MR_TRY(half(h));
  return h / 2;
}

TEST(Result, PassesErrorsUp) {
  EXPECT_EQ(quarter(8).value(), 2);
  EXPECT_EQ(quarter(6).error().message, "odd");
  EXPECT_EQ(quarter(7).error().code, Code::kBadInput);
}

TEST(Error, TellsWhatWasBeingDone) {
  EXPECT_EQ(bad_input("odd").within("record 7").message, "record 7: odd");
  EXPECT_EQ(errno_error("open x", ENOENT).code, Code::kNotFound);
  EXPECT_EQ(errno_error("open x", ENOENT).message, "open x: No such file or directory");
}

TEST(CancelToken, ChildFollowsParentOnly) {
  CancelToken job;
  const CancelToken object = job.child();
  const CancelToken other = job.child();
  object.cancel();
  EXPECT_TRUE(object.cancelled());
  EXPECT_FALSE(job.cancelled());
  job.cancel();
  EXPECT_TRUE(other.cancelled());
}

}  // namespace
}  // namespace millrace
