// For tests of the python handler: workers that are real processes under the real supervisor and
// speak through python/millrace_worker's own channel, and that do what a request asks of them. The
// test program is its own `millrace supervise` (python_fixture_test.cc).
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "handler/python_worker.h"
#include "model/model_fixture.h"

namespace millrace::handler::testing {

// What a worker does is said by words. When it starts, by its variable START:
//   fails    tells why it cannot load;  exits  ends with status 4 after a line of log
//   hangs    says nothing;              babbles  says something that is no frame
// MEMORY and PARAMETERS are what it says of itself. A request's body is a word and what it needs:
//   headers      the headers, a line each      variable N    that variable of its environment
//   pid          its process id                status N TEXT  the reply TEXT with that status
//   exit N       ends with that status         hang          never answers
//   cut          ends in mid-reply             asks PATH     ends, unless PATH is there; makes it
//   wait PATH    answers when PATH is there    make PATH     makes it
// and anything else comes back as it is.
class PythonWorkers {
 public:
  // Options for a worker with these variables.
  PythonWorkerOptions options(std::map<std::string, std::string> variables = {});
  // Instead of Python: says that it is ready, and ends at the first request.
  std::filesystem::path dying();
  std::filesystem::path path(const std::string& name) const { return folder_.path() / name; }
  // What workers wrote into their log.
  std::vector<std::string> log() const;
  size_t logged(std::string_view text) const;

 private:
  const model::testing::TempFolder folder_;
  mutable std::mutex mutex_;
  std::vector<std::string> log_;
};

// Whether a process of that number is there.
bool is_running(std::string_view pid);

}  // namespace millrace::handler::testing
