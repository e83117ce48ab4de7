#include "cli/signals.h"

#include <unistd.h>
#include <csignal>

#include <atomic>

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

}  // namespace

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
