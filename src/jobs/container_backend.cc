// "podman run ... IMAGE serve" stays in the foreground under a supervisor: its output is the
// model's log and its end the model's end.
#include "jobs/container_backend.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <utility>

#include "base/clock.h"
#include "base/shell.h"
#include "handler/http_handler.h"
#include "handler/model_process.h"
#include "jobs/container_engine.h"
#include "jobs/http_settings.h"
#include "jobs/model_environment.h"

namespace millrace::jobs {
namespace {

using std::chrono::steady_clock;

constexpr const char* kPort = "8080";  // the contract's
constexpr const char* kModelFolder = "/opt/ml/model";
// An engine needs some tenths of a second to start a container.
constexpr std::chrono::milliseconds kAddressPoll(100);
// Between the connection that a dying container loses and its engine's end.
constexpr std::chrono::milliseconds kLostWait(1000);

// The container has a world of its own: nothing of this process's environment means anything there.
Variables environment_of(const JobSettings& settings, const ModelHost& host) {
  Variables credentials;
  for (const auto& [name, value] : host.environment) {
    if (name.starts_with("AWS_")) credentials[name] = value;
  }
  Variables out = model_environment(settings, credentials, host.stated_environment, kModelFolder);
  out.insert({"SAGEMAKER_BIND_TO_PORT", kPort});
  return out;
}

// A file of variables has one on each line, and no way to write a line end.
bool fits_into_file(const std::string& name, const std::string& value) {
  const bool plain = std::all_of(name.begin(), name.end(),
                                 [](unsigned char c) { return std::isalnum(c) != 0 || c == '_'; });
  return plain && value.find_first_of("\r\n") == std::string::npos;
}

// Values stay out of the list of processes where they can.
struct Environment {
  std::string file;
  std::string words;
};
Environment written(const Variables& variables) {
  Environment out;
  for (const auto& [name, value] : variables) {
    if (fits_into_file(name, value)) {
      out.file += fmt::format("{}={}\n", name, value);
    } else {
      out.words += " --env " + shell_word(name + "=" + value);
    }
  }
  return out;
}

// One field of a line of CSV, which is how engines read --mount.
std::string csv_field(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? "\"\"" : std::string(1, c);
  return out + "\"";
}

std::string run_words(const std::string& name, const ModelArtifact& artifact,
                      const JobSettings& settings) {
  std::string words = "run --rm --pull never --name " + name;
  words += " --label " + shell_word(container_label());
  if (!settings.model_network) words += " --network " + name;
  words += fmt::format(" --publish \"127.0.0.1:$SAGEMAKER_BIND_TO_PORT:{}\"", kPort);
  words += " --env-file \"$folder/environment\"";
  // A model needs no more rights than it starts with. One --ulimit of ours would make podman forget
  // those that this machine's configuration has.
  words += " --security-opt no-new-privileges --security-opt label=disable";
  if (settings.model_memory_in_mb) {
    words += fmt::format(" --memory {0}m --memory-swap {0}m", *settings.model_memory_in_mb);
  }
  if (settings.model_cpus) words += fmt::format(" --cpus {}", *settings.model_cpus);
  if (!artifact.folder.empty()) {
    const std::string folder = std::filesystem::absolute(artifact.folder).lexically_normal();
    words += " --mount " + shell_word(fmt::format("type=bind,{},target={},readonly",
                                                  csv_field("source=" + folder), kModelFolder));
  }
  return words;
}

handler::ModelProcessOptions process_of(const ContainerEngine& engine, const std::string& name,
                                        const ModelArtifact& artifact, const JobSettings& settings,
                                        const ModelHost& host) {
  const Environment environment = written(environment_of(settings, host));
  handler::ModelProcessOptions options = engine.process();
  options.files["environment"] = environment.file;
  if (!settings.model_network) {
    options.command +=
        engine.command(fmt::format("network create --internal --label {} {} >/dev/null && ",
                                   shell_word(container_label()), name));
  }
  options.command += "exec " + engine.command(run_words(name, artifact, settings)) +
                     environment.words + " " + shell_word(settings.model_image) + " serve";
  options.cleanup += fmt::format("exec >/dev/null 2>&1; {}; {}; ", engine.command("kill " + name),
                                 engine.command("rm --force --volumes " + name));
  if (!settings.model_network) options.cleanup += engine.command("network rm " + name);
  if (settings.model_stop_timeout_seconds) {
    options.stop_timeout = std::chrono::seconds(*settings.model_stop_timeout_seconds);
  }
  options.log = [notice = host.notice](std::string_view line) {
    notice(fmt::format("model: {}", line));
  };
  return options;
}

// Nothing is published from a network that leads nowhere, unless another program of the user's
// (without root) does it; but its addresses are this machine's.
Result<std::string> url_of(const ContainerEngine& engine, const std::string& name,
                           handler::ModelProcess& process, const JobSettings& settings,
                           std::chrono::seconds timeout, const CancelToken& cancel) {
  if (settings.model_network || engine.rootless()) return process.url();
  const auto until = steady_clock::now() + timeout;
  for (;;) {
    MR_TRY(process.alive());
    MR_ASSIGN(const std::string address, engine.address_of(name, cancel));
    if (!address.empty()) return fmt::format("http://{}:{}", address, kPort);
    if (steady_clock::now() >= until) {
      return fail(
          unavailable(fmt::format("the container was not started within {} s", timeout.count())));
    }
    if (!real_clock().sleep(kAddressPoll, cancel)) return fail(cancelled("stopped"));
  }
}

}  // namespace

Result<LoadedHandler> load_container_handler(const ModelArtifact& artifact,
                                             const JobSettings& settings, const ModelHost& host,
                                             const CancelToken& cancel) {
  if (host.program.empty()) {
    return fail(invalid_argument("only the millrace program can start a container"));
  }
  MR_ASSIGN(const ContainerEngine engine, ContainerEngine::find({.named = settings.container_engine,
                                                                 .program = host.program,
                                                                 .environment = host.environment,
                                                                 .notice = host.notice},
                                                                cancel));
  engine.remove_leftovers(cancel);
  MR_TRY(engine.need_image(settings.model_image, cancel));
  const std::string name = new_container_name();
  MR_ASSIGN(auto process,
            handler::ModelProcess::start(process_of(engine, name, artifact, settings, host)));
  handler::HttpHandlerOptions http = http_options(settings, host.notice);
  MR_ASSIGN(http.endpoint.url,
            url_of(engine, name, *process, settings, http.endpoint.ping_timeout, cancel));
  http.endpoint.direct = true;
  http.endpoint.alive = [process] { return process->alive(); };
  http.endpoint.ended = [process] { return process->ended(kLostWait); };
  process.reset();
  MR_ASSIGN(auto made, handler::make_http_handler(std::move(http), cancel));
  return LoadedHandler{std::move(made), nullptr, {}};
}

}  // namespace millrace::jobs
