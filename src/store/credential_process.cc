#include "store/credential_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "base/limits.h"
#include "base/unique_fd.h"

extern char** environ;

namespace millrace::store {
namespace {

using Deadline = std::chrono::steady_clock::time_point;

// Starts the shell in a process group of its own, its output going to `out`.
Result<pid_t> start(const std::string& command, int out) {
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  std::string shell = "/bin/sh", flag = "-c", script = command;
  char* const arguments[] = {shell.data(), flag.data(), script.data(), nullptr};
  pid_t child = -1;
  const int error = ::posix_spawn(&child, "/bin/sh", &files, &attributes, arguments, environ);
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) return fail(errno_error("start /bin/sh", error));
  return child;
}

// What the child prints until it closes its output.
Result<std::string> read_all(int fd, Deadline deadline, const CancelToken& cancel) {
  std::string text;
  char block[4096];
  while (true) {
    if (cancel.cancelled()) return fail(cancelled("cancelled"));
    if (std::chrono::steady_clock::now() >= deadline) return fail(unavailable("timed out"));
    pollfd ready{fd, POLLIN, 0};
    if (::poll(&ready, 1, 50) <= 0) continue;
    const ssize_t got = ::read(fd, block, sizeof block);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got < 0) return fail(errno_error("read its output", errno));
    if (got == 0) return text;
    text.append(block, static_cast<size_t>(got));
    if (text.size() > limits::kCredentialsBytesMax) {
      return fail(invalid_argument("it printed more than 1 MiB"));
    }
  }
}

}  // namespace

Result<std::string> run_credential_process(const std::string& command,
                                           std::chrono::milliseconds timeout,
                                           const CancelToken& cancel) {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail(errno_error("make a pipe", errno));
  const UniqueFd in(ends[0]);
  UniqueFd out(ends[1]);
  MR_ASSIGN(const pid_t child, start(command, out.get()));
  out.reset();
  auto text = read_all(in.get(), std::chrono::steady_clock::now() + timeout, cancel);
  if (!text) ::kill(-child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!text) return text;
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    return fail(invalid_argument(WIFEXITED(status)
                                     ? "exit status " + std::to_string(WEXITSTATUS(status))
                                     : "ended by signal " + std::to_string(WTERMSIG(status))));
  }
  return text;
}

}  // namespace millrace::store
