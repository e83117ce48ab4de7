// The table that the kernel prints, and that something is known of this machine.
#include "jobs/free_memory.h"

#include <gtest/gtest.h>

namespace millrace::jobs {
namespace {

TEST(FreeMemory, ReadsTheKernelsTable) {
  const char* table = "MemTotal:       24000000 kB\nMemAvailable:    1024 kB\nCached: 7 kB";
  EXPECT_EQ(meminfo_bytes(table, "MemAvailable"), 1024U * 1024U);
  EXPECT_EQ(meminfo_bytes(table, "Cached"), 7U * 1024U);
  EXPECT_EQ(meminfo_bytes(table, "Mem"), 0U);
  EXPECT_EQ(meminfo_bytes("MemAvailable:", "MemAvailable"), 0U);
  EXPECT_EQ(meminfo_bytes("", "MemAvailable"), 0U);
}

TEST(FreeMemory, IsKnownHere) {
  EXPECT_GT(free_memory(), 0U);
}

}  // namespace
}  // namespace millrace::jobs
