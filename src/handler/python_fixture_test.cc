#include "handler/python_fixture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <utility>

#include "handler/supervisor.h"

namespace millrace::handler::testing {
namespace {

constexpr const char* kWorker = R"(
import os
import sys
import time

sys.path.insert(0, os.environ["SOURCES"])
from millrace_worker.channel import Channel


def await_path(path):
    while not os.path.exists(path):
        time.sleep(0.001)
    return path


def make_path(path):
    with open(path, "w"):
        return path


channel = Channel(3)
start = os.environ.get("START")
if start == "fails":
    channel.send_failure("inference.py, line 1: SyntaxError: invalid syntax")
    sys.exit(1)
if start == "exits":
    print("no such weights", flush=True)
    os._exit(4)
if start == "hangs":
    time.sleep(600)
if start == "babbles":
    os.write(3, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    time.sleep(600)
own = {"memory": os.environ.get("MEMORY", "0")}
if "PARAMETERS" in os.environ:
    own["parameters"] = os.environ["PARAMETERS"]
channel.send_ready(own)
while (request := channel.receive()) is not None:
    headers, body = request
    word, _, rest = body.partition(b" ")
    word, text, status = word.decode("latin-1"), rest.decode("latin-1"), 200
    if word == "exit":
        print("killed by a record", flush=True)
        os._exit(int(text))
    if word == "hang":
        print("hanging", flush=True)
        time.sleep(600)
    if word == "cut":
        os.write(3, b"MRP1\4\0\0\0\xff\0\0\0\0\0\0\000200\0abc")
        os._exit(0)
    if word == "asks" and not os.path.exists(text):
        make_path(text)
        os._exit(9)
    if word == "status":
        print("status", flush=True)
        number, _, text = text.partition(" ")
        status = int(number)
    if word == "headers":
        text = "".join(f"{name}: {value}\n" for name, value in headers.items())
    if word == "variable":
        text = os.environ.get(text, "")
    if word == "pid":
        text = str(os.getpid())
    if word == "wait":
        text = await_path(text)
    if word == "make":
        text = make_path(text)
    known = ("status", "headers", "variable", "pid", "wait", "make", "asks")
    channel.send_reply(status, "text/plain", text.encode() if word in known else body)
)";

}  // namespace

PythonWorkerOptions PythonWorkers::options(std::map<std::string, std::string> variables) {
  std::ofstream(path("millrace_worker")) << kWorker;
  PythonWorkerOptions out;
  out.program = std::filesystem::read_symlink("/proc/self/exe");
  out.python = "/usr/bin/python3";
  out.runtime = folder_.path();
  out.model_folder = folder_.path();
  out.code_folder = folder_.path();
  out.environment = std::move(variables);
  out.environment["SOURCES"] = MILLRACE_SOURCE_DIR "/python";
  out.environment["PYTHONDONTWRITEBYTECODE"] = "1";
  out.stop_timeout = std::chrono::seconds(0);
  out.log = [this](std::string_view line) {
    const std::lock_guard lock(mutex_);
    log_.emplace_back(line);
  };
  return out;
}

std::filesystem::path PythonWorkers::dying() {
  std::ofstream(path("dying")) << R"(#!/bin/sh
printf 'MRR1\0\0\0\0\0\0\0\0\0\0\0\0' >&3
head -c 1 <&3 >/dev/null
exit 7
)";
  std::filesystem::permissions(path("dying"), std::filesystem::perms::owner_all);
  return path("dying");
}

std::vector<std::string> PythonWorkers::log() const {
  const std::lock_guard lock(mutex_);
  return log_;
}

size_t PythonWorkers::logged(std::string_view text) const {
  const std::vector<std::string> lines = log();
  return static_cast<size_t>(std::count_if(lines.begin(), lines.end(), [&](const auto& line) {
    return line.find(text) != std::string::npos;
  }));
}

bool is_running(std::string_view pid) {
  pid_t number = 0;
  std::from_chars(pid.data(), pid.data() + pid.size(), number);
  return number > 0 && ::kill(number, 0) == 0;
}

}  // namespace millrace::handler::testing

namespace {

// As `millrace supervise`: each argument is --name=value.
int supervise(const std::vector<std::string_view>& arguments) {
  millrace::handler::SupervisorOptions options;
  for (const std::string_view argument : arguments) {
    const size_t equals = argument.find('=');
    const std::string_view name = argument.substr(0, equals);
    const std::string value(argument.substr(std::min(equals + 1, argument.size())));
    if (name == "--command") options.command = value;
    if (name == "--temp-folder") options.temp_folder = value;
  }
  return millrace::handler::supervise(options);
}

}  // namespace

// The tests' main function, instead of GoogleTest's own.
int main(int argc, char** argv) {
  const std::vector<std::string_view> arguments(argv + 1, argv + argc);
  if (!arguments.empty() && arguments[0] == "supervise") return supervise(arguments);
  ::testing::InitGoogleMock(&argc, argv);
  return RUN_ALL_TESTS();
}
