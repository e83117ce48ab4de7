#include "handler/python_worker.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <utility>

#include "base/shell.h"
#include "handler/worker_frames.h"

namespace millrace::handler {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// How often a wait looks whether it is still wanted.
constexpr milliseconds kCancelPoll(100);
// A request that nobody waits for any more may end by itself in this time: starting a worker anew
// takes longer.
constexpr std::chrono::seconds kCancelGrace(2);
// A request or reply of usual size fits; the kernel may grant less.
constexpr int kSocketBufferBytes = 4 * 1024 * 1024;

// Reads and writes the channel until a moment, or for some time after `cancel`.
class Conversation {
 public:
  Conversation(int channel, steady_clock::time_point until, const CancelToken& cancel)
      : channel_(channel), until_(until), cancel_(cancel) {}

  Status send(std::string_view head, std::string_view body) {
    while (!head.empty() || !body.empty()) {
      iovec parts[2] = {{const_cast<char*>(head.data()), head.size()},
                        {const_cast<char*>(body.data()), body.size()}};
      msghdr message{};
      message.msg_iov = parts;
      message.msg_iovlen = 2;
      const ssize_t sent = ::sendmsg(channel_, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent < 0 && errno != EAGAIN && errno != EINTR) return gone();
      if (sent < 0) {
        MR_TRY(wait(POLLOUT));
        continue;
      }
      const size_t of_head = std::min(head.size(), static_cast<size_t>(sent));
      head.remove_prefix(of_head);
      body.remove_prefix(static_cast<size_t>(sent) - of_head);
    }
    return {};
  }

  Status receive(char* data, size_t size) {
    while (size > 0) {
      const ssize_t got = ::recv(channel_, data, size, MSG_DONTWAIT);
      if (got == 0) return gone();
      if (got < 0 && errno != EAGAIN && errno != EINTR) return gone();
      if (got < 0) {
        MR_TRY(wait(POLLIN));
        continue;
      }
      data += got;
      size -= static_cast<size_t>(got);
    }
    return {};
  }

 private:
  static Status gone() { return fail(unavailable("")); }

  Status wait(short events) {
    for (;;) {
      const auto now = steady_clock::now();
      if (now >= until_) return fail(internal_error(""));
      if (cancel_.cancelled()) {
        if (!cancelled_at_) cancelled_at_ = now;
        if (now >= *cancelled_at_ + kCancelGrace) return fail(cancelled("cancelled"));
      }
      const auto left = std::chrono::ceil<milliseconds>(until_ - now);
      pollfd ready{channel_, events, 0};
      const int found = ::poll(&ready, 1, static_cast<int>(std::min(left, kCancelPoll).count()));
      if (found > 0) return {};
    }
  }

  const int channel_;
  const steady_clock::time_point until_;
  const CancelToken& cancel_;
  std::optional<steady_clock::time_point> cancelled_at_;
};

struct Frame {
  FrameKind kind = FrameKind::kReply;
  std::vector<std::string> fields;
  std::string body;
};

Result<Frame> receive_frame(Conversation* talk) {
  char bytes[kFrameHeaderBytes];
  MR_TRY(talk->receive(bytes, sizeof bytes));
  MR_ASSIGN(const FrameHeader header, read_frame_header({bytes, sizeof bytes}));
  std::string fields(header.field_bytes, '\0');
  MR_TRY(talk->receive(fields.data(), fields.size()));
  Frame frame{header.kind, read_fields(fields), std::string(header.body_bytes, '\0')};
  MR_TRY(talk->receive(frame.body.data(), frame.body.size()));
  return frame;
}

uint64_t number_of(std::string_view text) {
  uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

struct Sockets {
  UniqueFd ours;
  UniqueFd theirs;
};

Result<Sockets> make_sockets() {
  int ends[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return fail(errno_error("make a socket for the worker", errno));
  }
  Sockets sockets{UniqueFd(ends[0]), UniqueFd(ends[1])};
  ::setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &kSocketBufferBytes, sizeof kSocketBufferBytes);
  return sockets;
}

std::string command_line(const PythonWorkerOptions& options, int index) {
  return "exec " + shell_word(options.python.string()) + " -u " +
         shell_word((options.runtime / "millrace_worker").string()) + " --model " +
         shell_word(options.model_folder.string()) + " --code " +
         shell_word(options.code_folder.string()) + " --index " + std::to_string(index);
}

std::string seconds_text(std::chrono::seconds time) {
  return std::to_string(time.count()) + " s";
}

}  // namespace

Result<std::unique_ptr<PythonWorker>> PythonWorker::start(const PythonWorkerOptions& options,
                                                          int index, const CancelToken& cancel) {
  MR_ASSIGN(Sockets sockets, make_sockets());
  ModelProcessOptions process;
  process.program = options.program;
  process.command = command_line(options, index);
  process.environment = options.environment;
  process.stop_timeout = options.stop_timeout;
  process.memory_bytes_max = options.memory_bytes_max;
  process.data_bytes_max = options.data_bytes_max;
  process.channel = sockets.theirs.get();
  process.log = options.log;
  MR_ASSIGN(auto started, ModelProcess::start(std::move(process)));
  std::unique_ptr<PythonWorker> worker(
      new PythonWorker(std::move(started), std::move(sockets.ours)));
  sockets.theirs.reset();
  MR_TRY(worker->await_ready(options.start_timeout, cancel));
  return worker;
}

Status PythonWorker::await_ready(std::chrono::seconds timeout, const CancelToken& cancel) {
  Conversation talk(channel_.get(), steady_clock::now() + timeout, cancel);
  auto frame = receive_frame(&talk);
  if (!frame && frame.error().code == Code::kUnavailable) {
    MR_TRY(process_->ended());
    return fail(internal_error("the worker closed its channel before the model was loaded"));
  }
  if (!frame && frame.error().message.empty()) {
    return fail(internal_error("the model was not loaded within " + seconds_text(timeout)));
  }
  if (!frame) return fail(std::move(frame).error());
  if (frame->kind == FrameKind::kFailure) {
    return fail(invalid_argument("the model's code cannot be loaded: " + frame->body));
  }
  const auto& fields = frame->fields;
  for (size_t i = 0; i + 1 < fields.size(); i += 2) {
    if (fields[i] == "memory") memory_bytes_ = number_of(fields[i + 1]);
    if (fields[i] == "parameters") parameters_ = parse_execution_parameters(fields[i + 1]);
  }
  return {};
}

Result<PythonWorker::Answer> PythonWorker::ask(const InvokeRequest& request,
                                               std::chrono::seconds timeout) {
  Conversation talk(channel_.get(), steady_clock::now() + timeout, request.cancel);
  Status sent = talk.send(
      request_head(invocation_headers(request.content_type, request.accept, request.object_name),
                   request.body.size()),
      request.body);
  Result<Frame> frame = sent ? receive_frame(&talk) : Result<Frame>(fail(sent.error()));
  if (frame) {
    Answer answer;
    if (!frame->fields.empty()) answer.status = static_cast<int>(number_of(frame->fields[0]));
    if (frame->fields.size() > 1) answer.content_type = frame->fields[1];
    answer.body = std::move(frame->body);
    return answer;
  }
  if (frame.error().code == Code::kUnavailable) {
    died_ = true;
    const Status ended = process_->ended();
    return fail(unavailable(ended ? "the worker closed its channel" : ended.error().message));
  }
  if (frame.error().message.empty()) {
    return fail(
        unavailable("no answer within " + seconds_text(timeout) + "; the worker was ended"));
  }
  return fail(std::move(frame).error());
}

}  // namespace millrace::handler
