#include "cli/console.h"

#include <cstdio>
#include <string>

#include "cli/cli.h"

namespace millrace::cli {

void say(std::string_view text) {
  std::string line = "millrace: ";
  line += text;
  line += '\n';
  std::fwrite(line.data(), 1, line.size(), stderr);
}

bool put(std::string_view bytes) {
  return std::fwrite(bytes.data(), 1, bytes.size(), stdout) == bytes.size();
}

int refuse(const Error& error) {
  say(error.message);
  return kExitNotStarted;
}

}  // namespace millrace::cli
