// `millrace serve`: the SageMaker API on this machine. Puts the server, the API and the job service
// together, and ends them in order.
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdio>
#include <memory>
#include <thread>

#include "cli/cli.h"
#include "cli/config_file.h"
#include "cli/console.h"
#include "cli/signals.h"
#include "jobs/job_service.h"
#include "server/api_service.h"
#include "server/own_listener.h"
#include "server/tls_certificate.h"

namespace millrace::cli {
namespace {

namespace fs = std::filesystem;

struct ServeArguments {
  server::ServerOptions http;
  std::string config, keys, certificate, private_key;
  bool no_auth = false;
  std::string listen = "127.0.0.1:8800", data_dir, region, account = "000000000000";
  int running_jobs = 1;
  uint64_t model_memory_in_mb = 4096;
  size_t jobs_kept = 200000;
  std::string threads, isa, endpoint_url, profile, result_cache, result_cache_bytes;
  std::vector<std::string> images;
  bool allow_images = false;
  std::string container_engine, container_network, container_memory_in_mb, container_cpus;
  bool allow_local_paths = false;
  std::string event_file, event_url;
  std::string log_format = "text", log_level = "info";
};

std::string variable(const Context& context, const char* name) {
  const auto found = context.environment.find(name);
  return found == context.environment.end() ? "" : found->second;
}

fs::path state_folder(const ServeArguments& arguments, const Context& context) {
  if (!arguments.data_dir.empty()) return arguments.data_dir;
  const std::string state = variable(context, "XDG_STATE_HOME");
  fs::path base = state;
  if (state.empty()) base = fs::path(variable(context, "HOME")) / ".local/state";
  return base / "millrace" / "service";
}

std::string region_of(const ServeArguments& arguments, const Context& context) {
  if (!arguments.region.empty()) return arguments.region;
  for (const char* const name : {"AWS_REGION", "AWS_DEFAULT_REGION"}) {
    if (const std::string region = variable(context, name); !region.empty()) return region;
  }
  return "us-east-1";
}

// "127.0.0.1:8800", "[::1]:8800", "localhost:8800".
Status take_listen(ServeArguments* arguments) {
  const std::string& text = arguments->listen;
  const size_t colon = text.rfind(':');
  const auto wrong = [&] {
    return fail(invalid_argument("--listen '" + text + "': expected HOST:PORT, as 127.0.0.1:8800"));
  };
  if (colon == std::string::npos) return wrong();
  std::string host = text.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string::npos) {
    return wrong();
  }
  const char* const begin = text.data() + colon + 1;
  const char* const end = text.data() + text.size();
  uint16_t port = 0;
  const auto [stop, error] = std::from_chars(begin, end, port);
  if (host.empty() || error != std::errc() || stop != end) return wrong();
  arguments->http.address = host == "localhost" ? "127.0.0.1" : host;
  arguments->http.port = port;
  return {};
}

// Who may call has to be said: keys, or (where only this machine can) nobody is asked.
Status check_access(const ServeArguments& arguments) {
  if (arguments.no_auth && !arguments.keys.empty()) {
    return fail(invalid_argument("--no-auth and --keys exclude each other"));
  }
  if (arguments.no_auth && !server::is_loopback(arguments.http.address)) {
    return fail(invalid_argument("--no-auth is for loopback addresses only; " +
                                 arguments.http.address + " can be reached from elsewhere"));
  }
  if (!arguments.no_auth && arguments.keys.empty()) {
    return fail(invalid_argument(
        "--keys FILE says which access keys may call (or --no-auth on a loopback address)"));
  }
  if (arguments.certificate.empty() != arguments.private_key.empty()) {
    return fail(invalid_argument("--certificate and --private-key belong together"));
  }
  if (arguments.account.size() != 12 ||
      arguments.account.find_first_not_of("0123456789") != std::string::npos) {
    return fail(invalid_argument("--account '" + arguments.account + "': expected 12 digits"));
  }
  return {};
}

Status check_endpoint(const ServeArguments& arguments, const Context& context, int port) {
  std::array<char, 256> machine{};
  ::gethostname(machine.data(), machine.size() - 1);
  std::string endpoint = arguments.endpoint_url;
  std::string source = "--endpoint-url";
  for (const char* const name : {"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"}) {
    if (!endpoint.empty()) break;
    endpoint = variable(context, name);
    source = name;
  }
  if (!server::leads_to_listener(endpoint, arguments.http.address, static_cast<uint16_t>(port),
                                 machine.data())) {
    return {};
  }
  return fail(invalid_argument(fmt::format(
      "{}: {} is this server itself, and not an S3 server; name your S3 server's endpoint", source,
      endpoint)));
}

Result<std::map<std::string, std::string>> parse_images(const std::vector<std::string>& images) {
  std::map<std::string, std::string> out;
  for (const std::string& pair : images) {
    const size_t equals = pair.find('=');
    if (equals == 0 || equals == pair.npos || equals + 1 == pair.size()) {
      return fail(invalid_argument("--image '" + pair +
                                   "': expected IMAGE=native, IMAGE=python, IMAGE=container or "
                                   "IMAGE=http://..."));
    }
    out[pair.substr(0, equals)] = pair.substr(equals + 1);
  }
  return out;
}

Result<jobs::ServiceOptions> service_options(const ServeArguments& arguments,
                                             const Context& context) {
  jobs::ServiceOptions options;
  options.folder = state_folder(arguments, context);
  options.region = region_of(arguments, context);
  options.account = arguments.account;
  options.running_max = arguments.running_jobs;
  options.model_bytes_max = arguments.model_memory_in_mb * limits::kMiB;
  options.jobs_kept = arguments.jobs_kept;
  for (const auto& [name, value] : {std::pair{"THREADS", &arguments.threads},
                                    {"ISA", &arguments.isa},
                                    {"ENDPOINT_URL", &arguments.endpoint_url},
                                    {"PROFILE", &arguments.profile},
                                    {"REGION", &arguments.region},
                                    {"RESULT_CACHE", &arguments.result_cache},
                                    {"RESULT_CACHE_BYTES", &arguments.result_cache_bytes}}) {
    if (!value->empty()) options.machine[name] = *value;
  }
  for (const auto& [name, value] : {std::pair{"CONTAINER_ENGINE", &arguments.container_engine},
                                    {"MODEL_NETWORK", &arguments.container_network},
                                    {"MODEL_MEMORY_IN_MB", &arguments.container_memory_in_mb},
                                    {"MODEL_CPUS", &arguments.container_cpus}}) {
    if (!value->empty()) options.container[name] = *value;
  }
  options.environment = context.environment;
  options.program = context.program;
  options.shipped_model_folders = context.shipped_model_folders();
  MR_ASSIGN(options.images, parse_images(arguments.images));
  options.allow_images = arguments.allow_images;
  options.allow_local_paths = arguments.allow_local_paths;
  options.event_file = arguments.event_file;
  options.event_url = arguments.event_url;
  return options;
}

// Thousands of connections: as many files as this user may have.
void raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

// Looks at files from time to time, so that keys and certificates change without a restart.
class FileWatch {
 public:
  FileWatch(server::AccessKeyFile* keys, server::TlsCertificate* certificate,
            server::ServiceLog* log)
      : keys_(keys), certificate_(certificate), log_(log) {
    if (keys == nullptr && certificate == nullptr) return;
    thread_ = std::thread([this] {
      const std::chrono::milliseconds pause(limits::kServiceFilesPollMs);
      while (real_clock().sleep(pause, stop_)) look();
    });
  }
  ~FileWatch() {
    stop_.cancel();
    if (thread_.joinable()) thread_.join();
  }
  FileWatch(const FileWatch&) = delete;
  FileWatch& operator=(const FileWatch&) = delete;

 private:
  void look() {
    if (keys_ != nullptr && tell(keys_->refresh(), "keys")) {
      log_->write(server::LogLevel::kInfo, "access keys were read again",
                  {{"keys", std::to_string(keys_->current()->size())}});
    }
    if (certificate_ != nullptr && tell(certificate_->refresh(), "certificate and key")) {
      log_->write(server::LogLevel::kInfo, "the certificate was read again");
    }
  }

  // True: what was read is other than before.
  bool tell(const Result<bool>& refreshed, const char* what) {
    if (refreshed) return *refreshed;
    log_->write(server::LogLevel::kWarning,
                refreshed.error().message + "; the " + what + " read before stay in force");
    return false;
  }

  server::AccessKeyFile* const keys_;
  server::TlsCertificate* const certificate_;
  server::ServiceLog* const log_;
  const CancelToken stop_;
  std::thread thread_;
};

server::LogLevel log_level(const std::string& name) {
  if (name == "debug") return server::LogLevel::kDebug;
  if (name == "warning") return server::LogLevel::kWarning;
  return name == "error" ? server::LogLevel::kError : server::LogLevel::kInfo;
}

Status serve(ServeArguments* arguments, const Context& context, server::ServiceLog* log,
             const CancelToken& cancel) {
  MR_TRY(check_access(*arguments));
  std::unique_ptr<server::AccessKeyFile> keys;
  if (!arguments->keys.empty()) {
    MR_ASSIGN(keys, server::AccessKeyFile::open(arguments->keys));
  }
  std::shared_ptr<server::TlsCertificate> certificate;
  if (!arguments->certificate.empty()) {
    MR_ASSIGN(certificate,
              server::TlsCertificate::open(arguments->certificate, arguments->private_key));
  }
  MR_ASSIGN(jobs::ServiceOptions options, service_options(*arguments, context));
  options.log = [log](std::string_view line) { log->write(server::LogLevel::kInfo, line); };

  // Listens first: a port that is taken shows at once, and clients that come early only wait.
  server::ApiService* api = nullptr;
  server::ServerOptions& http = arguments->http;
  http.certificate = certificate;
  http.body_bytes_max = limits::kApiBodyBytesMax;
  http.connections_max = limits::kServiceConnectionsMax;
  http.early_reply = [&api](const server::ServerRequest& head) { return api->early_reply(head); };
  http.refusal = [&api](int status, const std::string& why) { return api->refusal(status, why); };
  MR_ASSIGN(const auto listener,
            server::HttpServer::listen(http, [&api](auto request, server::Answer answer) {
              api->handle(std::move(request), std::move(answer));
            }));
  MR_TRY(check_endpoint(*arguments, context, listener->port()));

  const std::string region = options.region;
  MR_ASSIGN(const auto jobs, jobs::open_job_service(std::move(options)));
  server::ApiService service(*jobs, *log, {region, arguments->account, keys.get(), &real_clock()});
  service.set_http_counters([&listener] { return listener->counters(); });
  api = &service;
  const FileWatch watch(keys.get(), certificate.get(), log);
  log->write(server::LogLevel::kInfo, "serving",
             {{"url", fmt::format("{}://{}:{}", arguments->certificate.empty() ? "http" : "https",
                                  http.address, listener->port())},
              {"region", region},
              {"account", arguments->account}});
  const Status served = listener->run(cancel);
  log->write(server::LogLevel::kInfo, "stopping: jobs that run go on at the next start");
  service.stop();
  jobs->drain();
  return served;
}

int run_serve(ServeArguments* arguments, CLI::App* command, const Context& context) {
  if (!arguments->config.empty()) {
    if (const Status applied = apply_config_file(arguments->config, command); !applied) {
      return refuse(applied.error());
    }
  }
  if (const Status taken = take_listen(arguments); !taken) return refuse(taken.error());
  raise_file_limit();
  const CancelToken cancel;
  cancel_on_signals(cancel);
  const auto format =
      arguments->log_format == "json" ? server::LogFormat::kJson : server::LogFormat::kText;
  server::ServiceLog log(format, log_level(arguments->log_level), [](std::string_view lines) {
    std::fwrite(lines.data(), 1, lines.size(), stderr);
  });
  const Status served = serve(arguments, context, &log, cancel);
  if (served) return kExitOk;
  if (served.error().code == Code::kInternal) {
    log.write(server::LogLevel::kError, served.error().message);
    return kExitFailed;
  }
  return refuse(served.error());
}

constexpr const char* kServeFooter =
    "First steps, on one machine:\n"
    "  millrace serve --no-auth      # S3 elsewhere than on AWS: AWS_ENDPOINT_URL_S3=http://...\n"
    "  export AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1   # the server's, too\n"
    "  export AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any     # where you have none\n"
    "  export AWS_ENDPOINT_URL_SAGEMAKER=http://127.0.0.1:8800\n"
    "  export AWS_ENDPOINT_URL_CLOUDWATCH_LOGS=$AWS_ENDPOINT_URL_SAGEMAKER\n"
    "  aws sagemaker list-transform-jobs\n"
    "With keys: a file of mode 600 with sections [NAME], aws_access_key_id = ..., "
    "aws_secret_access_key = ...;\na changed file counts within a second.\n"
    "S3 is reached with this process's own credentials; all keys share what they may.\n"
    "Each flag --foo-bar is also the variable MILLRACE_FOO_BAR and, in --config FILE, the line\n"
    "foo-bar = VALUE. Flags are stronger than variables, and variables than the file.\n"
    "Ends in good order on SIGTERM and SIGINT: jobs that run go on at the next start.\n"
    "docs/service.md tells more; docs/moving-from-sagemaker.md has snippets for each client.";

// An option that has its variable, too.
template <class T>
CLI::Option* add(CLI::App* command, const std::string& name, T* value, const std::string& help,
                 const char* type) {
  std::string variable_of_name = "MILLRACE_";
  for (const char c : name) {
    variable_of_name += c == '-' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c);
  }
  CLI::Option* const option = std::is_same_v<T, bool>
                                  ? command->add_flag("--" + name, *value, help)
                                  : command->add_option("--" + name, *value, help);
  option->envname(variable_of_name);
  if (type[0] != '\0') option->type_name(type);
  return option;
}

void add_options(CLI::App* command, ServeArguments* a) {
  command->add_option("--config", a->config, "A file of settings")
      ->envname("MILLRACE_CONFIG")
      ->type_name("FILE");
  add(command, "listen", &a->listen, "Where to listen; port 0: any free one", "HOST:PORT")
      ->capture_default_str();
  add(command, "keys", &a->keys, "The access keys that may call", "FILE");
  add(command, "no-auth", &a->no_auth, "Everybody on this machine may call", "");
  add(command, "certificate", &a->certificate, "TLS: certificate with its chain, PEM", "FILE");
  add(command, "private-key", &a->private_key, "TLS: the certificate's key, PEM", "FILE");
  add(command, "data-dir", &a->data_dir,
      "Where jobs, models and logs are kept (default: ~/.local/state/millrace/service)", "PATH");
  add(command, "region", &a->region, "Region in ARNs and signatures (default: AWS_REGION)", "NAME");
  add(command, "account", &a->account, "Account in ARNs", "DIGITS")->capture_default_str();
  add(command, "running-jobs", &a->running_jobs, "Jobs that run at one time", "N")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  add(command, "model-memory-in-mb", &a->model_memory_in_mb,
      "Memory for models that stay loaded between jobs", "N")
      ->capture_default_str();
  add(command, "jobs-kept", &a->jobs_kept, "Ended jobs beyond this are forgotten, the oldest first",
      "N")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  add(command, "threads", &a->threads, "Encoder threads (default: one for each core)", "N");
  add(command, "isa", &a->isa, "Forces a lower instruction set", "reference|avx2|avx512|neon");
  add(command, "endpoint-url", &a->endpoint_url, "S3 endpoint (default: AWS_ENDPOINT_URL_S3)",
      "URL");
  add(command, "profile", &a->profile, "AWS profile for S3", "NAME");
  add(command, "result-cache", &a->result_cache, "Keeps what the model computes in DIR", "DIR");
  add(command, "result-cache-bytes", &a->result_cache_bytes, "Size of DIR at most", "N");
  add(command, "image", &a->images,
      "What serves an image: IMAGE=native|python|container|http://...; may be given several "
      "times",
      "IMAGE=HANDLER");
  add(command, "allow-images", &a->allow_images,
      "Images that no rule maps are run as containers: all keys then run any image here", "");
  add(command, "container-engine", &a->container_engine,
      "What runs containers (default: podman, else docker)", "podman|docker|PATH");
  add(command, "container-network", &a->container_network,
      "none: containers reach nothing beyond this machine (default)", "none|full")
      ->check(CLI::IsMember({"none", "full"}));
  add(command, "container-memory-in-mb", &a->container_memory_in_mb,
      "Memory of one container at most", "N")
      ->check(CLI::PositiveNumber);
  add(command, "container-cpus", &a->container_cpus, "Cores that one container may use", "N")
      ->check(CLI::PositiveNumber);
  add(command, "allow-local-paths", &a->allow_local_paths,
      "Models may lie in folders of this machine: all keys then read what this process can", "");
  add(command, "event-file", &a->event_file, "Changes of jobs' states, as lines of JSON", "FILE");
  add(command, "event-url", &a->event_url, "Changes of jobs' states are posted there", "URL");
  add(command, "log-format", &a->log_format, "Form of the log on stderr", "text|json")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  add(command, "log-level", &a->log_level, "Least level that is logged", "debug|info|warning|error")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}))
      ->capture_default_str();
}

}  // namespace

void add_serve_command(CLI::App* app, const Context& context, Run* run) {
  CLI::App* command = app->add_subcommand(
      "serve", "Answer the SageMaker API: batch transform jobs for boto3, the AWS CLI and SDKs");
  const auto arguments = std::make_shared<ServeArguments>();
  add_options(command, arguments.get());
  command->footer(kServeFooter);
  command->callback([=, &context] {
    *run = [=, &context] { return run_serve(arguments.get(), command, context); };
  });
}

}  // namespace millrace::cli
