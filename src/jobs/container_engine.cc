#include "jobs/container_engine.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <fstream>
#include <iterator>
#include <sstream>
#include <system_error>
#include <utility>

#include "base/shell.h"
#include "jobs/program_path.h"

namespace millrace::jobs {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kNamePrefix = "millrace-";
constexpr size_t kStartTimeField = 20;  // of /proc/PID/stat, counted behind the name

Result<fs::path> find_program(const std::string& named, const Variables& environment) {
  const std::string path = value_of(environment, "PATH");
  if (named.find('/') != std::string::npos) {
    if (is_program(named)) return fs::absolute(named);
    return fail(invalid_argument("--container-engine: " + named + " is no program"));
  }
  if (!named.empty()) {
    fs::path found = find_in_path(named, path);
    if (!found.empty()) return found;
    return fail(invalid_argument("--container-engine: there is no " + named + " in the PATH"));
  }
  for (const char* name : {"podman", "docker"}) {
    if (fs::path found = find_in_path(name, path); !found.empty()) return found;
  }
  return fail(invalid_argument(
      "there is neither podman nor docker in the PATH; --container-engine names one, and "
      "--model-command starts a server without a container"));
}

// When a process started, in ticks since the machine did; "" where there is none. A later process
// of the same number has another.
std::string start_time(std::string_view pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  const size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return "";
  std::istringstream fields(text.substr(name_end + 1));
  std::string field;
  for (size_t i = 0; i < kStartTimeField; ++i) fields >> field;
  return field;
}

// Of this start of this machine, as processes see it that have our numbers.
std::string host_identity() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string boot;
  std::getline(file, boot);
  struct stat pids {};
  ::stat("/proc/self/ns/pid", &pids);
  return fmt::format("{}-{}", boot, static_cast<uint64_t>(pids.st_ino));
}

std::string first_line(const std::string& text) {
  return {text.begin(), std::find(text.begin(), text.end(), '\n')};
}

}  // namespace

std::string new_container_name() {
  static std::atomic<unsigned> count{0};
  const std::string pid = std::to_string(::getpid());
  return fmt::format("{}{}-{}-{}", kNamePrefix, pid, start_time(pid), ++count);
}

const std::string& container_label() {
  static const std::string label = "millrace.host=" + host_identity();
  return label;
}

bool maker_is_gone(std::string_view name) {
  if (!name.starts_with(kNamePrefix)) return false;
  name.remove_prefix(kNamePrefix.size());
  const size_t first = name.find('-');
  const size_t second = first == name.npos ? name.npos : name.find('-', first + 1);
  if (second == name.npos) return false;
  const std::string_view pid = name.substr(0, first);
  const std::string_view started = name.substr(first + 1, second - first - 1);
  const auto is_number = [](std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == text.npos;
  };
  return is_number(pid) && is_number(started) && start_time(pid) != started;
}

Result<ContainerEngine> ContainerEngine::find(Options options, const CancelToken& cancel) {
  ContainerEngine engine(std::move(options));
  MR_ASSIGN(engine.path_, find_program(engine.options_.named, engine.options_.environment));
  MR_ASSIGN(const handler::CommandOutput version, engine.run("--version", cancel));
  if (version.exit_status != 0) {
    return fail(
        internal_error(fmt::format("{} --version: exit status {}: {}", engine.path_.string(),
                                   version.exit_status, version.text)));
  }
  // `docker` may be podman.
  if (version.text.find("podman") != std::string::npos) {
    engine.rootless_ = ::geteuid() != 0;
    return engine;
  }
  MR_ASSIGN(const handler::CommandOutput info,
            engine.run("info --format " + shell_word("{{.SecurityOptions}}"), cancel));
  if (info.exit_status != 0) {
    return fail(
        internal_error(fmt::format("{} cannot be used: {}", engine.path_.string(), info.text)));
  }
  engine.rootless_ = info.text.find("rootless") != std::string::npos;
  return engine;
}

std::string ContainerEngine::command(std::string_view words) const {
  return fmt::format("{} {}", shell_word(path_.string()), words);
}

// Engines keep state below TMPDIR where nothing else says where, so theirs is the user's own.
handler::ModelProcessOptions ContainerEngine::process() const {
  handler::ModelProcessOptions options;
  options.program = options_.program;
  options.environment = options_.environment;
  options.trusted = true;
  const std::string temp = value_of(options_.environment, "TMPDIR");
  options.command = "folder=$TMPDIR; ";
  options.command += temp.empty() ? "unset TMPDIR; " : "TMPDIR=" + shell_word(temp) + "; ";
  options.cleanup = options.command;
  return options;
}

Result<handler::CommandOutput> ContainerEngine::run(std::string_view words,
                                                    const CancelToken& cancel) const {
  handler::ModelProcessOptions options = process();
  options.command += "exec " + command(words);
  options.cleanup.clear();
  return handler::run_command(std::move(options), cancel);
}

Status ContainerEngine::need_image(const std::string& image, const CancelToken& cancel) const {
  const std::string word = shell_word(image);
  MR_ASSIGN(const handler::CommandOutput found,
            run("image inspect --format " + shell_word("{{.Id}}") + " " + word, cancel));
  if (found.exit_status == 0) return {};
  options_.notice("the image " + image + " is not on this machine; it is pulled");
  MR_ASSIGN(const handler::CommandOutput pulled, run("pull --quiet " + word, cancel));
  if (pulled.exit_status == 0) return {};
  return fail(invalid_argument(fmt::format(
      "the image {} is not on this machine, and cannot be pulled: {}", image, pulled.text)));
}

void ContainerEngine::remove_leftovers(const CancelToken& cancel) const {
  const std::string ours = shell_word("label=" + container_label());
  const std::array<std::pair<std::string, const char*>, 2> kinds = {{
      {fmt::format("ps --all --filter {} --format '{{{{.Names}}}}'", ours),
       "rm --force --volumes "},
      {fmt::format("network ls --filter {} --format '{{{{.Name}}}}'", ours), "network rm "},
  }};
  for (const auto& [list, remove] : kinds) {
    const auto found = run(list, cancel);
    if (!found || found->exit_status != 0) continue;  // the start itself will say what is wrong
    std::istringstream names(found->text);
    for (std::string name; std::getline(names, name);) {
      if (!maker_is_gone(name)) continue;
      options_.notice("removes " + name + ", which a killed job left");
      (void)run(remove + shell_word(name), cancel);
    }
  }
}

Result<std::string> ContainerEngine::address_of(const std::string& container,
                                                const CancelToken& cancel) const {
  const std::string words =
      fmt::format("inspect --format {} {} 2>/dev/null",
                  shell_word("{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"),
                  shell_word(container));
  MR_ASSIGN(const handler::CommandOutput found, run(words, cancel));
  if (found.exit_status != 0) return std::string();  // not made yet
  return first_line(found.text);
}

}  // namespace millrace::jobs
