#include "cli/signals.h"

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <system_error>

#include "cli/cli.h"

namespace millrace::cli {
namespace {

// Lives as long as the process: a handler may run at any time.
const CancelToken* g_token = nullptr;
std::atomic<int> g_signals{0};

// Only async-signal-safe calls: an atomic store, or _exit.
void on_signal(int) {
  if (g_signals.fetch_add(1) > 0) ::_exit(kExitInterrupted);
  g_token->cancel();
}

// Whatever the thread was doing, a message can still be written: nothing here allocates.
void tell(const char* text) {
  (void)!::write(STDERR_FILENO, text, std::strlen(text));
}

// What escapes to here is memory or threads that the machine does not give; all else is a bug, and
// leaves a core as one.
[[noreturn]] void on_terminate() {
  const char* why = std::uncaught_exceptions() > 0 ? "out of memory, or of threads" : nullptr;
  if (const std::exception_ptr escaped = std::current_exception()) {
    try {
      std::rethrow_exception(escaped);
    } catch (const std::bad_alloc&) {
      why = "out of memory";
    } catch (const std::system_error&) {
      why = "out of memory, or of threads";
    } catch (...) {
    }
  }
  if (why == nullptr) std::abort();
  tell("millrace: ");
  tell(why);
  tell(
      " (limits: ulimit -v, ulimit -u, or those of a container); outputs that were not complete "
      "are not there, and the same command goes on with what was finished\n");
  ::_exit(kExitFailed);
}

}  // namespace

void tell_of_exhaustion() {
  std::set_terminate(on_terminate);
}

void cancel_on_signals(const CancelToken& token) {
  g_token = new CancelToken(token);  // never freed, see above
  struct sigaction action = {};
  action.sa_handler = on_signal;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  action.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &action, nullptr);
  // Writing beyond `ulimit -f` then is an error as a full disk is.
  sigaction(SIGXFSZ, &action, nullptr);
}

}  // namespace millrace::cli
