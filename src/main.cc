// The program: hands what the process was started with to the command line.
#include <unistd.h>

#include <filesystem>
#include <string>
#include <system_error>

#include "cli/cli.h"

namespace {

millrace::cli::Context process_context(const char* argv0) {
  millrace::cli::Context context;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string pair = *entry;
    const size_t equals = pair.find('=');
    if (equals != std::string::npos) {
      context.environment[pair.substr(0, equals)] = pair.substr(equals + 1);
    }
  }
  std::error_code error;
  context.program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) context.program = argv0;
  return context;
}

}  // namespace

int main(int argc, char** argv) {
  const millrace::cli::Context context = process_context(argc > 0 ? argv[0] : "millrace");
  return millrace::cli::run(argc, argv, context);
}
