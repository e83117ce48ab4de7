// Files of settings: what lines say, and that flags stay stronger.
#include "cli/config_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace millrace::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

TEST(ConfigFile, HasNamesValuesAndComments) {
  const auto lines = parse_config("# about\n\n port = 8800 \r\nimage = a=b\nempty =\n");
  ASSERT_TRUE(lines);
  EXPECT_THAT(*lines, ElementsAre(Pair("port", "8800"), Pair("image", "a=b"), Pair("empty", "")));
  EXPECT_THAT(parse_config("a = b\nport 8800").error().message, HasSubstr("line 2"));
  EXPECT_FALSE(parse_config("= 5"));
}

class ApplyConfig : public ::testing::Test {
 protected:
  ApplyConfig() {
    app_.add_option("--port", port_)->check(CLI::Range(1, 100));
    app_.add_option("--name", name_);
    app_.add_flag("--quiet", quiet_);
    app_.add_option("--image", images_);
  }
  Status apply(const std::string& text, const std::string& arguments = "") {
    const auto file =
        std::filesystem::path(::testing::TempDir()) / ("config-" + std::to_string(::getpid()));
    std::ofstream(file) << text;
    app_.parse(arguments);
    const Status applied = apply_config_file(file, &app_);
    std::filesystem::remove(file);
    return applied;
  }
  CLI::App app_;
  int port_ = 1;
  std::string name_;
  bool quiet_ = false;
  std::vector<std::string> images_;
};

TEST_F(ApplyConfig, SetsWhatNobodySaid) {
  ASSERT_TRUE(
      apply("port = 7\nname = from file\nquiet = true\nimage = a\nimage = b\n", "--name flag"));
  EXPECT_EQ(port_, 7);
  EXPECT_EQ(name_, "flag");
  EXPECT_TRUE(quiet_);
  EXPECT_THAT(images_, ElementsAre("a", "b"));
}

TEST_F(ApplyConfig, RefusesWhatItDoesNotKnow) {
  EXPECT_THAT(apply("prot = 7\n").error().message, HasSubstr("no setting 'prot'"));
  EXPECT_THAT(apply("port = 700\n").error().message, HasSubstr("--port"));
  EXPECT_THAT(apply_config_file("/nowhere/x", &app_).error().message, HasSubstr("cannot be read"));
}

}  // namespace
}  // namespace millrace::cli
