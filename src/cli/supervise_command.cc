// `millrace supervise`: what Millrace starts itself as, to keep watch over a model's process. Not
// for users, so no help names it.
#include <memory>

#include "cli/cli.h"
#include "handler/supervisor.h"

namespace millrace::cli {

void add_supervise_command(CLI::App* app, Run* run) {
  CLI::App* command = app->add_subcommand("supervise", "Keeps watch over a model's process");
  command->group("");
  struct Arguments {
    handler::SupervisorOptions options;
    std::string temp_folder;
    uint64_t stop_timeout = 0;
  };
  const auto arguments = std::make_shared<Arguments>();
  command->add_option("--command", arguments->options.command)->required();
  command->add_option("--cleanup", arguments->options.cleanup);
  command->add_flag("--trusted", arguments->options.trusted);
  command->add_option("--temp-folder", arguments->temp_folder);
  command->add_option("--stop-timeout", arguments->stop_timeout);
  command->add_option("--memory", arguments->options.memory_bytes_max);
  command->add_option("--data", arguments->options.data_bytes_max);
  command->callback([=] {
    *run = [=] {
      handler::SupervisorOptions options = arguments->options;
      options.temp_folder = arguments->temp_folder;
      options.stop_timeout = std::chrono::seconds(arguments->stop_timeout);
      return handler::supervise(options);
    };
  });
}

}  // namespace millrace::cli
