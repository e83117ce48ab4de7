#include "handler/python_float.h"

#include <gtest/gtest.h>

namespace millrace::handler {
namespace {

std::string printed(double value) {
  std::string out;
  append_python_float(value, &out);
  return out;
}

TEST(PythonFloat, PrintsAsReprDoes) {
  // Each line is what Python 3 prints for the literal.
  EXPECT_EQ(printed(0.9598047137260437), "0.9598047137260437");
  EXPECT_EQ(printed(static_cast<double>(0.1F)), "0.10000000149011612");
  EXPECT_EQ(printed(1.0), "1.0");
  EXPECT_EQ(printed(0.0), "0.0");
  EXPECT_EQ(printed(-0.0), "-0.0");
  EXPECT_EQ(printed(0.5), "0.5");
  EXPECT_EQ(printed(-2.8253750801086426), "-2.8253750801086426");
  EXPECT_EQ(printed(100.0), "100.0");
  EXPECT_EQ(printed(123456.75), "123456.75");
}

TEST(PythonFloat, ChangesLayoutWherePythonDoes) {
  EXPECT_EQ(printed(0.0001), "0.0001");
  EXPECT_EQ(printed(0.00012345), "0.00012345");
  EXPECT_EQ(printed(0.00009999), "9.999e-05");
  EXPECT_EQ(printed(1e-05), "1e-05");
  EXPECT_EQ(printed(1.5e-9), "1.5e-09");
  EXPECT_EQ(printed(1e-100), "1e-100");
  EXPECT_EQ(printed(5e-324), "5e-324");
  EXPECT_EQ(printed(1e15), "1000000000000000.0");
  EXPECT_EQ(printed(9999999999999998.0), "9999999999999998.0");
  EXPECT_EQ(printed(1e16), "1e+16");
  EXPECT_EQ(printed(1.2345e22), "1.2345e+22");
  EXPECT_EQ(printed(1.7976931348623157e308), "1.7976931348623157e+308");
}

TEST(PythonFloat, RoundsAsRoundDoes) {
  EXPECT_EQ(printed(python_round(0.9598047137260437, 4)), "0.9598");
  EXPECT_EQ(printed(python_round(0.99996, 4)), "1.0");
  EXPECT_EQ(printed(python_round(0.125, 2)), "0.12");  // half to even
  EXPECT_EQ(printed(python_round(0.375, 2)), "0.38");
  EXPECT_EQ(printed(python_round(2.675, 2)), "2.67");  // the double is below 2.675
  EXPECT_EQ(printed(python_round(0.5, 0)), "0.0");
  EXPECT_EQ(printed(python_round(1.5, 0)), "2.0");
  EXPECT_EQ(printed(python_round(0.00004, 4)), "0.0");
  EXPECT_EQ(printed(python_round(-0.00004, 4)), "-0.0");
  EXPECT_EQ(printed(python_round(0.1, 17)), "0.1");
}

}  // namespace
}  // namespace millrace::handler
