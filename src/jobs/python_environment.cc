#include "jobs/python_environment.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>
#include <vector>

#include "base/shell.h"
#include "base/xxh3.h"
#include "handler/run_command.h"
#include "jobs/aws_image.h"
#include "jobs/cache_entry.h"
#include "jobs/program_path.h"
#include "jobs/requirements_content.h"

namespace millrace::jobs {
namespace {

namespace fs = std::filesystem;
using handler::CommandOutput;

// The semantics are those of this version; later ones of the same line keep them.
constexpr const char* kToolkit = "sagemaker-inference>=1.10,<2";
constexpr int kPythonMinorMin = 8;

// Prints what we want to know of an interpreter.
constexpr const char* kProbe =
    "import importlib.util as u, json, site, sys; print(json.dumps({"
    "'version': list(sys.version_info[:3]), 'executable': sys.executable, "
    "'sites': [p for p in sys.path if p.endswith('-packages')], "
    "'toolkit': u.find_spec('sagemaker_inference') is not None}))";

struct Interpreter {
  fs::path path;
  std::string version;
  std::vector<std::string> sites;
  bool has_toolkit = false;
};

// Under a supervisor, so that it ends with us.
Result<CommandOutput> run_command(const PythonRequest& request, const std::string& command) {
  handler::ModelProcessOptions options;
  options.program = request.program;
  options.command = command;
  options.environment = request.environment;
  return handler::run_command(std::move(options), request.cancel);
}

fs::path program_in_path(const PythonRequest& request, const std::string& name) {
  const auto found = request.environment.find("PATH");
  return find_in_path(name, found == request.environment.end() ? "/usr/bin:/bin" : found->second);
}

Result<fs::path> find_interpreter(const PythonRequest& request) {
  if (!request.python.empty()) {
    for (const fs::path& path : {fs::path(request.python), fs::path(request.python) / "bin/python",
                                 fs::path(request.python) / "bin/python3"}) {
      if (is_program(path)) return fs::absolute(path);
    }
    if (request.python.find('/') == std::string::npos) {  // "python3.11", as a shell has it
      const fs::path named = program_in_path(request, request.python);
      if (!named.empty()) return named;
    }
    return fail(invalid_argument("--python: " + request.python +
                                 " is neither an interpreter nor an environment with bin/python"));
  }
  fs::path program = program_in_path(request, "python3");
  if (!program.empty()) return program;
  return fail(
      invalid_argument("the model has Python code, and there is no python3 in the PATH; "
                       "--python names an interpreter"));
}

Result<Interpreter> probe(const PythonRequest& request) {
  MR_ASSIGN(const fs::path path, find_interpreter(request));
  MR_ASSIGN(const CommandOutput output, run_command(request, "exec " + shell_word(path.string()) +
                                                                 " -c " + shell_word(kProbe)));
  const auto json = nlohmann::json::parse(output.text, nullptr, false);
  const auto is_list = [&](const char* key) { return json.is_object() && json.contains(key); };
  if (output.exit_status != 0 || !is_list("version") || !is_list("sites") ||
      !json["version"].is_array() || json["version"].size() != 3) {
    return fail(invalid_argument(
        fmt::format("{} does not answer as Python 3 does: {}", path.string(), output.text)));
  }
  const auto& version = json["version"];
  Interpreter out;
  out.version =
      fmt::format("{}.{}.{}", version[0].get<int>(), version[1].get<int>(), version[2].get<int>());
  if (version[0] != 3 || version[1] < kPythonMinorMin) {
    return fail(invalid_argument(fmt::format("{} is Python {}; 3.{} or newer is needed",
                                             path.string(), out.version, kPythonMinorMin)));
  }
  // A launcher (pyenv's, for one) costs a shell for each worker.
  const auto executable = json.value("executable", "");
  out.path = executable.empty() ? path : fs::path(executable);
  for (const auto& site : json["sites"]) out.sites.push_back(site.get<std::string>());
  out.has_toolkit = json.value("toolkit", false);
  return out;
}

fs::path site_packages(const fs::path& environment, const Interpreter& base) {
  const auto minor = base.version.substr(0, base.version.rfind('.'));
  return environment / "lib" / ("python" + minor) / "site-packages";
}

// What the named interpreter has stays importable, behind what is installed on top of it.
Status show_sites(const fs::path& environment, const Interpreter& base) {
  std::ofstream out(site_packages(environment, base) / "millrace-base.pth");
  for (const std::string& site : base.sites) out << site << "\n";
  out.close();
  if (!out) return fail(internal_error("cannot write to " + environment.string()));
  return {};
}

// What one environment has beyond those that it stands on.
struct Layer {
  std::vector<std::string> packages;
  fs::path requirements;  // empty: none

  std::string text() const {
    return requirements.empty() ? fmt::format("{}", fmt::join(packages, ", "))
                                : requirements.string();
  }
};

Status make_environment(const PythonRequest& request, const Interpreter& base, const Layer& layer,
                        const fs::path& folder) {
  MR_ASSIGN(const CommandOutput made,
            run_command(request, "exec " + shell_word(base.path.string()) + " -m venv " +
                                     shell_word(folder.string())));
  if (made.exit_status != 0) {
    return fail(
        invalid_argument("python3 -m venv failed (Debian: install python3-venv):\n" + made.text));
  }
  MR_TRY(show_sites(folder, base));
  std::string command;
  if (!layer.requirements.empty()) {  // paths in it are meant from where it lies
    command = "cd " + shell_word(layer.requirements.parent_path().string()) + " && ";
  }
  command += "exec " + shell_word((folder / "bin/python").string()) +
             " -m pip install --quiet --no-input --disable-pip-version-check";
  for (const std::string& package : layer.packages) command += " " + shell_word(package);
  if (!layer.requirements.empty()) command += " -r " + shell_word(layer.requirements.string());
  MR_ASSIGN(const CommandOutput installed, run_command(request, command));
  if (installed.exit_status != 0) {
    return fail(invalid_argument(fmt::format("pip ended with exit status {}; its last lines:\n{}",
                                             installed.exit_status, installed.text)));
  }
  return {};
}

// The interpreter of an environment on top of `base`, made where it is not there yet.
Result<Interpreter> with_layer(const PythonRequest& request, const Interpreter& base,
                               const Layer& layer) {
  Xxh3 digest;
  digest.field(base.path.string()).field(base.version);
  for (const std::string& site : base.sites) digest.field(site);
  for (const std::string& package : layer.packages) digest.field(package);
  if (!layer.requirements.empty()) add_requirements(layer.requirements, &digest);
  auto folder = cache_entry_in_place(
      request.cache_folder, digest.hex(), request.cancel, [&](const fs::path& path) {
        request.notice(fmt::format("installing {} into {} (once for this content)", layer.text(),
                                   path.string()));
        return make_environment(request, base, layer, path);
      });
  if (!folder) return fail(std::move(folder).error().within("install " + layer.text()));
  Interpreter out = base;
  out.path = *folder / "bin" / "python";
  out.sites.insert(out.sites.begin(), site_packages(*folder, base).string());
  return out;
}

}  // namespace

Variables pip_environment(const Variables& cleaned, const Variables& process) {
  constexpr std::array<std::string_view, 8> kNames = {"http_proxy", "https_proxy", "no_proxy",
                                                      "all_proxy",  "HTTP_PROXY",  "HTTPS_PROXY",
                                                      "NO_PROXY",   "ALL_PROXY"};
  Variables out = cleaned;
  for (const auto& [name, value] : process) {
    const bool is_proxy = std::find(kNames.begin(), kNames.end(), name) != kNames.end();
    if (is_proxy || name.starts_with("PIP_")) out[name] = value;
  }
  for (const char* name : {"PYTHONPATH", "PYTHONHOME"}) out.erase(name);
  return out;
}

Result<PythonEnvironment> prepare_python(const PythonRequest& request) {
  MR_ASSIGN(Interpreter python, probe(request));
  // One for all models first; options in a model's requirements.txt (--no-index) are not for it.
  Layer shared;
  if (!request.image.empty()) {
    MR_ASSIGN(shared.packages, packages_of_image(request.image));
  }
  if (!python.has_toolkit) shared.packages.emplace_back(kToolkit);
  if (!shared.packages.empty()) {
    MR_ASSIGN(python, with_layer(request, python, shared));
  }
  if (!request.requirements.empty()) {
    MR_ASSIGN(python, with_layer(request, python, {{}, request.requirements}));
  }
  return PythonEnvironment{python.path, python.path.string() + " " + python.version};
}

}  // namespace millrace::jobs
