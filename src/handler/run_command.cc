#include "handler/run_command.h"

#include <deque>
#include <mutex>
#include <utility>

namespace millrace::handler {

Result<CommandOutput> run_command(ModelProcessOptions options, const CancelToken& cancel) {
  std::mutex mutex;
  std::deque<std::string> lines;
  options.log = [&, log = std::move(options.log)](std::string_view line) {
    log(line);
    const std::lock_guard lock(mutex);
    lines.emplace_back(line);
    if (lines.size() > limits::kModelLogTailLines) lines.pop_front();
  };
  MR_ASSIGN(auto process, ModelProcess::start(std::move(options)));
  MR_ASSIGN(const int status, process->wait(cancel));
  process.reset();  // its last line has been told then
  CommandOutput output{status, ""};
  for (const std::string& line : lines) {
    if (!output.text.empty()) output.text += '\n';
    output.text += line;
  }
  return output;
}

}  // namespace millrace::handler
