#include "jobs/backends.h"

#include <fmt/format.h>

#include <filesystem>
#include <system_error>

#include "base/uri.h"
#include "handler/http_handler.h"
#include "handler/model_process.h"
#include "handler/native_handler.h"
#include "jobs/container_backend.h"
#include "jobs/http_settings.h"
#include "jobs/model_environment.h"
#include "jobs/native_only.h"
#include "jobs/python_backend.h"
#include "jobs/transformers_model.h"

namespace millrace::jobs {
namespace {

// Between the connection that a dying server loses and its end lie milliseconds.
constexpr std::chrono::milliseconds kLostWait(200);

model::Precision precision_of(const std::string& name) {
  if (name == "bf16") return model::Precision::kBf16;
  if (name == "int8") return model::Precision::kInt8;
  return model::Precision::kFp32;
}

Result<LoadedHandler> load_http_handler(const JobSettings& settings, const Notice& notice,
                                        const CancelToken& cancel) {
  auto url = parse_endpoint_url(settings.model);
  if (!url) return fail(std::move(url).error().within("model " + settings.model));
  handler::HttpHandlerOptions options = http_options(settings, notice);
  options.endpoint.url = url->text();
  MR_ASSIGN(auto made, handler::make_http_handler(std::move(options), cancel));
  return LoadedHandler{std::move(made), nullptr, {}};
}

// The process lives as long as the handler that feeds it.
Result<LoadedHandler> start_model(const ModelArtifact& artifact, const JobSettings& settings,
                                  const ModelHost& host, const CancelToken& cancel) {
  if (host.program.empty()) {
    return fail(
        invalid_argument("--model-command: only the millrace program can start a model's process"));
  }
  handler::ModelProcessOptions options;
  options.program = host.program;
  options.command = settings.model_command;
  options.environment = model_environment(settings, host.environment, host.stated_environment,
                                          artifact.folder.string());
  if (settings.model_stop_timeout_seconds) {
    options.stop_timeout = std::chrono::seconds(*settings.model_stop_timeout_seconds);
  }
  options.memory_bytes_max = settings.model_memory_in_mb.value_or(0) * limits::kMiB;
  options.log = [notice = host.notice](std::string_view line) {
    notice(fmt::format("model: {}", line));
  };
  MR_ASSIGN(auto process, handler::ModelProcess::start(std::move(options)));
  handler::HttpHandlerOptions http = http_options(settings, host.notice);
  http.endpoint.url = process->url();
  http.endpoint.alive = [process] { return process->alive(); };
  http.endpoint.ended = [process] { return process->ended(kLostWait); };
  process.reset();
  auto made = handler::make_http_handler(std::move(http), cancel);
  if (!made) return fail(std::move(made).error().within("--model-command"));
  return LoadedHandler{std::move(*made), nullptr, {}};
}

// The artefact's own code, or what stands in for it; nullopt: the native engine runs the model.
Result<std::optional<PythonModel>> find_code(const ModelArtifact& artifact,
                                             const JobSettings& settings, const ModelHost& host) {
  MR_ASSIGN(auto own, find_python_model(artifact.folder, host.stated_environment, host.artifacts));
  if (own) return own;
  std::error_code ignored;
  if (!std::filesystem::exists(artifact.folder / "config.json", ignored)) {
    return fail(
        invalid_argument("config.json is missing, and there is no code/inference.py either"));
  }
  MR_ASSIGN(auto stand_in, find_transformers_model(artifact.folder, host.stated_environment,
                                                   settings, host.program));
  return stand_in;
}

}  // namespace

bool is_model_url(const std::string& model) {
  return model.starts_with("http://") || model.starts_with("https://");
}

Result<LoadedHandler> load_handler(const ModelArtifact& artifact, const JobSettings& settings,
                                   const ModelHost& host, const CancelToken& cancel) {
  const bool starts_server = !settings.model_command.empty() || !settings.model_image.empty();
  const bool has_server = starts_server || is_model_url(settings.model);
  if (has_server && !host.in_pipeline) MR_TRY(refuse_native_settings(settings, host.notice));
  if (!settings.model_image.empty()) {
    auto loaded = load_container_handler(artifact, settings, host, cancel);
    if (!loaded) return fail(std::move(loaded).error().within("--model-image"));
    return loaded;
  }
  if (!settings.model_command.empty()) return start_model(artifact, settings, host, cancel);
  if (has_server) return load_http_handler(settings, host.notice, cancel);
  auto code = find_code(artifact, settings, host);
  if (!code) return fail(std::move(code).error().within("model " + artifact.name));
  if (!*code) return load_native_handler(artifact, settings, host.models);
  if (!host.in_pipeline) MR_TRY(refuse_native_settings(settings, host.notice));
  auto loaded = load_python_handler(**code, settings, host, cancel);
  if (!loaded) return fail(std::move(loaded).error().within("model " + artifact.name));
  return loaded;
}

Result<LoadedModel> load_model(const ModelArtifact& artifact, const JobSettings& settings,
                               ModelCache* models) {
  const model::LoadOptions options{precision_of(settings.precision), settings.isa,
                                   settings.threads};
  auto loaded = models != nullptr ? models->load(artifact.folder, options)
                                  : model::TextClassificationModel::load(artifact.folder, options);
  if (!loaded) return fail(std::move(loaded).error().within("model " + artifact.name));
  LoadedModel out;
  out.model = std::move(*loaded);
  MR_ASSIGN(out.options, handler::parse_native_options(settings.native, out.model->info().labels,
                                                       settings.native_written));
  return out;
}

Result<LoadedHandler> load_native_handler(const ModelArtifact& artifact,
                                          const JobSettings& settings, ModelCache* models) {
  MR_ASSIGN(LoadedModel loaded, load_model(artifact, settings, models));
  std::shared_ptr<handler::ResultCache> results;
  if (!settings.result_cache.empty()) {
    auto opened = handler::open_result_cache(*loaded.model, loaded.options, settings.result_cache,
                                             settings.result_cache_bytes);
    if (!opened) return fail(invalid_argument("--result-cache: " + opened.error().message));
    results = std::move(*opened);
  }
  auto made = handler::make_native_handler(loaded.model, std::move(loaded.options),
                                           settings.threads, std::move(results));
  if (!made) return fail(std::move(made).error().within("model " + artifact.name));
  return LoadedHandler{std::move(*made), std::move(loaded.model), {}};
}

Result<std::unique_ptr<store::ObjectStore>> make_store(const store::Location& location,
                                                       const JobSettings& settings,
                                                       const CancelToken& cancel) {
  if (location.kind == store::Location::Kind::kFile) return store::make_file_store(location.path);
  store::S3Options options;
  options.profile = settings.profile;
  options.region = settings.region;
  options.endpoint_url = settings.endpoint_url;
  options.cancel = cancel;
  return store::make_s3_store(location.bucket, options);
}

}  // namespace millrace::jobs
