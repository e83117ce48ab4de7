#include "handler/model_process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>
#include <vector>

#include "base/background.h"
#include "base/clock.h"

namespace millrace::handler {
namespace {

namespace fs = std::filesystem;

// Output ends when its last writer does; should one have outlived a supervisor that somebody
// killed, it is looked at this often whether there is still something to wait for.
constexpr std::chrono::milliseconds kReadPoll(500);
// A supervisor that has lost its command needs milliseconds to clean up.
constexpr std::chrono::milliseconds kEndPoll(5);
constexpr std::chrono::milliseconds kWaitPoll(10);
// The command's descriptor of a channel.
constexpr int kChannel = 3;

// A port that is free now. Somebody else may take it before the model does; then the model says so
// in its log and ends.
Result<int> free_port() {
  const UniqueFd probe(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const plain = reinterpret_cast<sockaddr*>(&address);
  if (!probe.valid() || ::bind(probe.get(), plain, size) != 0 ||
      ::getsockname(probe.get(), plain, &size) != 0) {
    return fail(errno_error("find a free port for the model", errno));
  }
  return static_cast<int>(ntohs(address.sin_port));
}

Result<fs::path> make_temp_folder() {
  std::error_code error;
  fs::path base = fs::temp_directory_path(error);
  if (error) base = "/tmp";
  std::string name = (base / "millrace-model-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) return fail(errno_error("make the folder " + name, errno));
  return fs::path(name);
}

void remove_folder(const fs::path& folder) {
  std::error_code ignored;
  fs::remove_all(folder, ignored);
}

Status write_file(const fs::path& path, std::string_view content) {
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  while (file.valid() && !content.empty()) {
    const ssize_t written = ::write(file.get(), content.data(), content.size());
    if (written < 0 && errno != EINTR) break;
    if (written > 0) content.remove_prefix(static_cast<size_t>(written));
  }
  if (file.valid() && content.empty()) return {};
  return fail(errno_error("write " + path.string(), errno));
}

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

Result<Pipe> make_pipe() {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail(errno_error("make a pipe", errno));
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// What posix_spawn wants: pointers into strings that live elsewhere.
std::vector<char*> pointers(std::vector<std::string>* strings) {
  std::vector<char*> out;
  for (std::string& text : *strings) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

Result<pid_t> spawn_with(const fs::path& program, std::vector<std::string> arguments,
                         std::vector<std::string> environment, int in, int out, int channel) {
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, in, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&files, out, STDERR_FILENO);
  if (channel >= 0) posix_spawn_file_actions_adddup2(&files, channel, kChannel);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  // A group of its own: Ctrl-C is for us, and we end the model in good order.
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  pid_t child = -1;
  const int error = ::posix_spawn(&child, program.c_str(), &files, &attributes,
                                  pointers(&arguments).data(), pointers(&environment).data());
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) return fail(errno_error("start " + program.string(), error));
  return child;
}

std::string told(int status) {
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  if (code > 128) return "was ended by signal " + std::to_string(code - 128);
  return "ended with exit status " + std::to_string(code);
}

}  // namespace

ModelProcess::ModelProcess(ModelProcessOptions options, int port)
    : options_(std::move(options)), port_(port) {}

Result<std::shared_ptr<ModelProcess>> ModelProcess::start(ModelProcessOptions options) {
  int port = 0;
  if (options.channel < 0) {
    MR_ASSIGN(port, free_port());
  }
  const std::shared_ptr<ModelProcess> process(new ModelProcess(std::move(options), port));
  if (Status started = process->spawn(); !started) {
    return fail(std::move(started).error().within("start the model's process"));
  }
  return process;
}

Status ModelProcess::spawn() {
  MR_ASSIGN(Pipe control, make_pipe());
  MR_ASSIGN(Pipe output, make_pipe());
  MR_ASSIGN(const fs::path temp, make_temp_folder());
  std::vector<std::string> arguments = {
      options_.program.string(),
      "supervise",
      "--stop-timeout=" + std::to_string(options_.stop_timeout.count()),
      "--memory=" + std::to_string(options_.memory_bytes_max),
      "--data=" + std::to_string(options_.data_bytes_max),
      "--temp-folder=" + temp.string(),
      "--command=" + options_.command};
  if (!options_.cleanup.empty()) arguments.push_back("--cleanup=" + options_.cleanup);
  if (options_.trusted) arguments.emplace_back("--trusted");
  std::vector<std::string> environment;
  for (const auto& [name, value] : options_.environment) environment.push_back(name + "=" + value);
  if (port_ > 0) environment.push_back("SAGEMAKER_BIND_TO_PORT=" + std::to_string(port_));
  environment.push_back("TMPDIR=" + temp.string());
  for (const auto& [name, content] : options_.files) {
    if (Status written = write_file(temp / name, content); !written) {
      remove_folder(temp);
      return written;
    }
  }
  const auto child = spawn_with(options_.program, std::move(arguments), std::move(environment),
                                control.read.get(), output.write.get(), options_.channel);
  if (!child) {
    remove_folder(temp);
    return fail(child.error());
  }
  supervisor_ = *child;
  temp_folder_ = temp;
  control_ = std::move(control.write);
  output_ = std::move(output.read);
  MR_ASSIGN(reader_, start_thread([this] { read_output(); }));
  return {};
}

ModelProcess::~ModelProcess() {
  if (supervisor_ < 0) return;
  control_.reset();
  if (!status_) {
    while (::waitpid(supervisor_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  supervisor_ended_ = true;
  if (reader_.joinable()) reader_.join();
  remove_folder(temp_folder_);  // it is gone, unless somebody killed the supervisor
}

std::string ModelProcess::url() const {
  return "http://127.0.0.1:" + std::to_string(port_);
}

Status ModelProcess::alive() {
  std::unique_lock lock(mutex_);
  if (!status_) {
    int status = 0;
    if (::waitpid(supervisor_, &status, WNOHANG) != supervisor_) return {};
    status_ = status;
  }
  // Nobody is left who could write, so the last lines come at once, unless the supervisor was
  // killed.
  output_ended_.wait_for(lock, kReadPoll, [this] { return !output_open_; });
  std::string message = "the model's process " + told(*status_);
  if (tail_.empty() && WIFEXITED(*status_) && options_.memory_bytes_max > 0) {
    message += fmt::format("; --model-memory-in-mb leaves it {} MiB of address space",
                           options_.memory_bytes_max / limits::kMiB);
  }
  if (!tail_.empty()) message += "; its last lines:";
  for (const std::string& line : tail_) message += "\n  " + line;
  return fail(internal_error(std::move(message)));
}

Status ModelProcess::ended(std::chrono::milliseconds patience) {
  for (auto waited = kEndPoll; waited < patience; waited += kEndPoll) {
    MR_TRY(alive());
    real_clock().sleep(kEndPoll, CancelToken());
  }
  return alive();
}

Result<int> ModelProcess::wait(const CancelToken& cancel) {
  while (alive()) {
    if (!real_clock().sleep(kWaitPoll, cancel)) return fail(cancelled("cancelled"));
  }
  const std::lock_guard lock(mutex_);
  return WIFEXITED(*status_) ? WEXITSTATUS(*status_) : 128 + WTERMSIG(*status_);
}

void ModelProcess::read_output() {
  std::string line;
  char block[4096];
  for (;;) {
    pollfd ready{output_.get(), POLLIN, 0};
    if (::poll(&ready, 1, static_cast<int>(kReadPoll.count())) == 0) {
      if (supervisor_ended_) break;
      continue;
    }
    const ssize_t got = ::read(output_.get(), block, sizeof block);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    for (const char c : std::string_view(block, static_cast<size_t>(got))) {
      if (c != '\n') line += c;
      if (c == '\n' || line.size() >= limits::kModelLogLineBytesMax) {
        take_line(line);
        line.clear();
      }
    }
  }
  if (!line.empty()) take_line(line);
  const std::lock_guard lock(mutex_);
  output_open_ = false;
  output_ended_.notify_all();
}

void ModelProcess::take_line(std::string_view line) {
  options_.log(line);
  const std::lock_guard lock(mutex_);
  tail_.emplace_back(line);
  if (tail_.size() > limits::kModelLogTailLines) tail_.pop_front();
}

}  // namespace millrace::handler
