// An environment is made anew when anything that its requirements.txt installs from has changed.
#include "jobs/requirements_content.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>
#include <string>

namespace millrace::jobs {
namespace {

namespace fs = std::filesystem;

class RequirementsContent : public ::testing::Test {
 protected:
  RequirementsContent() { folder_ = ::mkdtemp(name_.data()); }
  ~RequirementsContent() override { fs::remove_all(folder_); }

  void write(const std::string& name, const std::string& content) const {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name) << content;
  }
  std::string digest() const {
    Xxh3 out;
    add_requirements(folder_ / "requirements.txt", &out);
    return out.hex();
  }

  std::string name_ = "/tmp/millrace-requirements-XXXXXX";
  fs::path folder_;
};

TEST_F(RequirementsContent, ItsOwnTextCounts) {
  write("requirements.txt", "numpy==1.26\n");
  const std::string before = digest();
  EXPECT_EQ(digest(), before);
  write("requirements.txt", "numpy==1.27\n");
  EXPECT_NE(digest(), before);
}

TEST_F(RequirementsContent, FilesThatItNamesCount) {
  for (const char* line : {"wheels/own.whl", "./wheels/own.whl", "own @ file:wheels/own.whl",
                           "-rmore.txt", "--requirement=more.txt", "-r more.txt # why"}) {
    write("requirements.txt", line);
    write("more.txt", "numpy\n");
    write("wheels/own.whl", "one");
    const std::string before = digest();
    write("more.txt", "pandas\n");
    write("wheels/own.whl", "two");
    EXPECT_NE(digest(), before) << line;
  }
}

TEST_F(RequirementsContent, WhatNamedFilesNameCountsAndCirclesEnd) {
  write("requirements.txt", "-r a/more.txt\n");
  write("a/more.txt", "-r ../requirements.txt\n-r deep.txt\n");
  write("a/deep.txt", "one");
  const std::string before = digest();
  write("a/deep.txt", "two");
  EXPECT_NE(digest(), before);
}

TEST_F(RequirementsContent, OtherFilesDoNotCount) {
  write("requirements.txt", "numpy\n");
  const std::string before = digest();
  write("inference.py", "pass\n");
  EXPECT_EQ(digest(), before);
}

}  // namespace
}  // namespace millrace::jobs
