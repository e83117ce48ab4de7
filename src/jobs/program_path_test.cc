#include "jobs/program_path.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

namespace millrace::jobs {
namespace {

namespace fs = std::filesystem;

TEST(ProgramPath, FindsTheFirstProgramOfThatNameInAbsoluteFolders) {
  const fs::path root = fs::path(testing::TempDir()) / "program_path_test";
  fs::remove_all(root);
  for (const char* folder : {"one", "two", "three"}) {
    fs::create_directories(root / folder);
    std::ofstream(root / folder / "tool") << "#!/bin/sh\n";
  }
  for (const char* folder : {"two", "three"}) {
    fs::permissions(root / folder / "tool", fs::perms::owner_all);
  }
  fs::create_directories(root / "folder/tool");
  const auto at = [&](const char* folder) { return (root / folder).string(); };
  EXPECT_FALSE(is_program(root / "one/tool"));
  EXPECT_FALSE(is_program(root / "folder/tool"));
  EXPECT_EQ(
      find_in_path("tool", at("folder") + ":" + at("one") + ":" + at("two") + ":" + at("three")),
      root / "two/tool");
  EXPECT_EQ(find_in_path("tool", ":." + at("none") + "::" + at("three")), root / "three/tool");
  EXPECT_TRUE(find_in_path("other", at("two")).empty());
  EXPECT_TRUE(find_in_path("tool", "").empty());
  fs::remove_all(root);
}

}  // namespace
}  // namespace millrace::jobs
