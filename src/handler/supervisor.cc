#include "handler/supervisor.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <optional>
#include <system_error>

#include "base/unique_fd.h"

extern char** environ;

namespace millrace::handler {
namespace {

using std::chrono::steady_clock;

constexpr int kNotStarted = 127;
// A container engine that removes a container needs seconds on a machine without memory to spare.
constexpr std::chrono::seconds kCleanUpTime(60);

void limit(int resource, rlim_t most) {
  const rlimit bounds{most, most};
  (void)::setrlimit(static_cast<__rlimit_resource_t>(resource), &bounds);
}

// What holds for us and so for all that we start.
void confine(const SupervisorOptions& options) {
  if (options.trusted) return;
  // Orphans of the command become our children, so that none escapes.
  (void)::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  (void)::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  limit(RLIMIT_CORE, 0);
  if (options.memory_bytes_max > 0) limit(RLIMIT_AS, options.memory_bytes_max);
  if (options.data_bytes_max > 0) limit(RLIMIT_DATA, options.data_bytes_max);
  // Rather the model than the job that feeds it, or somebody else. Raising it needs no privilege.
  std::ofstream("/proc/self/oom_score_adj") << 1000;
}

std::optional<pid_t> start(const std::string& command) {
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::string shell = "/bin/sh", flag = "-c", script = command;
  char* const arguments[] = {shell.data(), flag.data(), script.data(), nullptr};
  pid_t child = -1;
  const int error = ::posix_spawn(&child, "/bin/sh", &files, &attributes, arguments, environ);
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  // An end of a channel that we held would hide from Millrace that the command is gone.
  ::closefrom(STDERR_FILENO + 1);
  if (error != 0) return std::nullopt;
  return child;
}

// Standard input never carries anything: readable means that it has ended.
class Watch {
 public:
  explicit Watch(pid_t command) : command_(command) {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : {SIGCHLD, SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
    signals_ = UniqueFd(::signalfd(-1, &set, SFD_CLOEXEC));
  }

  static void block_signals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGPIPE}) sigaddset(&set, signal);
    sigprocmask(SIG_BLOCK, &set, nullptr);
  }

  // Until the command has ended (true), we were asked to end, or the time is up.
  bool wait(std::optional<steady_clock::time_point> until) {
    for (;;) {
      reap();
      if (ended_) return true;
      pollfd ready[] = {{signals_.get(), POLLIN, 0}, {until ? -1 : STDIN_FILENO, POLLIN, 0}};
      const int found = ::poll(ready, 2, until ? milliseconds_to(*until) : -1);
      if (found == 0) return false;
      if (found < 0 && errno != EINTR) return false;
      if (found > 0 && ready[1].revents != 0) return false;
      if (found > 0 && ready[0].revents != 0 && took_request() && !until) return false;
    }
  }

  int status() const { return WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_); }

 private:
  static int milliseconds_to(steady_clock::time_point until) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - steady_clock::now());
    return left.count() > 0 ? static_cast<int>(left.count()) : 0;
  }

  bool took_request() {
    signalfd_siginfo signal{};
    return ::read(signals_.get(), &signal, sizeof signal) == sizeof signal &&
           signal.ssi_signo != SIGCHLD;
  }

  void reap() {
    int status = 0;
    for (pid_t pid; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
      if (pid != command_) continue;
      ended_ = true;
      status_ = status;
    }
  }

  const pid_t command_;
  UniqueFd signals_;
  bool ended_ = false;
  int status_ = 0;
};

// Children of children become ours as their parents die, so this ends when nobody is left.
void kill_descendants() {
  const std::string list = "/proc/self/task/" + std::to_string(::getpid()) + "/children";
  do {
    std::ifstream children(list);
    if (!children.is_open()) return;  // a kernel without this list: the group is all we know
    for (pid_t pid; children >> pid;) ::kill(pid, SIGKILL);
  } while (::waitpid(-1, nullptr, 0) > 0 || errno == EINTR);
}

void clean_up(const std::string& command) {
  if (command.empty()) return;
  const std::optional<pid_t> cleaner = start(command);
  if (!cleaner) return;
  Watch(*cleaner).wait(steady_clock::now() + kCleanUpTime);
  ::kill(-*cleaner, SIGKILL);
}

}  // namespace

int supervise(const SupervisorOptions& options) {
  Watch::block_signals();
  confine(options);
  int status = kNotStarted;
  if (const std::optional<pid_t> command = start(options.command)) {
    Watch watch(*command);
    if (!watch.wait(std::nullopt)) {
      ::kill(-*command, SIGTERM);
      watch.wait(steady_clock::now() + options.stop_timeout);
    }
    ::kill(-*command, SIGKILL);
    clean_up(options.cleanup);
    if (!options.trusted) kill_descendants();
    status = watch.status();
  }
  std::error_code ignored;
  if (!options.temp_folder.empty()) std::filesystem::remove_all(options.temp_folder, ignored);
  return status;
}

}  // namespace millrace::handler
