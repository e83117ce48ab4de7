// Whose a container is, which engine is taken, and what is said where there is none.
#include "jobs/container_engine.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

namespace millrace::jobs {
namespace {

TEST(ContainerNames, TellWhetherTheirMakerLives) {
  const std::string ours = new_container_name();
  EXPECT_FALSE(maker_is_gone(ours));
  EXPECT_NE(new_container_name(), ours);
  // Another process of our number is not us.
  const size_t last = ours.rfind('-');
  std::string other = ours.substr(0, last) + "1" + ours.substr(last);
  EXPECT_TRUE(maker_is_gone(other));
}

TEST(ContainerNames, OfAProcessThatEndedAreLeftovers) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const std::string name = new_container_name();
    (void)!::write(ends[1], name.data(), name.size());
    ::_exit(0);
  }
  char name[256] = {};
  ASSERT_GT(::read(ends[0], name, sizeof name - 1), 0);
  ::waitpid(child, nullptr, 0);
  ::close(ends[0]);
  ::close(ends[1]);
  EXPECT_TRUE(maker_is_gone(name));
}

TEST(ContainerNames, OfOthersAreNobodysLeftovers) {
  for (const char* name : {"", "postgres", "millrace-", "millrace-a-b-c", "millrace-12",
                           "millrace-12-", "millrace--1-1", "millrace-1/../2-5-1"}) {
    EXPECT_FALSE(maker_is_gone(name)) << name;
  }
}

TEST(ContainerEngines, NoneIsSaidWithTheWayOut) {
  ContainerEngine::Options options;
  options.environment = {{"PATH", "/nonexistent"}};
  const auto found = ContainerEngine::find(options, CancelToken());
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, Code::kInvalidArgument);
  EXPECT_NE(found.error().message.find("neither podman nor docker"), std::string::npos);
  options.named = "/nonexistent/podman";
  EXPECT_NE(ContainerEngine::find(options, CancelToken()).error().message.find("is no program"),
            std::string::npos);
}

}  // namespace
}  // namespace millrace::jobs
