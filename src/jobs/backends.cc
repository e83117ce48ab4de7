#include "jobs/backends.h"

#include "handler/native_handler.h"

namespace millrace::jobs {
namespace {

model::Precision precision_of(const std::string& name) {
  if (name == "bf16") return model::Precision::kBf16;
  if (name == "int8") return model::Precision::kInt8;
  return model::Precision::kFp32;
}

}  // namespace

Result<LoadedModel> load_model(const ModelArtifact& artifact, const JobSettings& settings) {
  const model::LoadOptions options{precision_of(settings.precision), settings.isa,
                                   settings.threads};
  auto loaded = model::TextClassificationModel::load(artifact.folder, options);
  if (!loaded) return fail(std::move(loaded).error().within("model " + artifact.name));
  LoadedModel out;
  out.model = std::move(*loaded);
  MR_ASSIGN(out.options, handler::parse_native_options(settings.native, out.model->info().labels));
  return out;
}

Result<LoadedHandler> load_native_handler(const ModelArtifact& artifact,
                                          const JobSettings& settings) {
  MR_ASSIGN(LoadedModel loaded, load_model(artifact, settings));
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
  return LoadedHandler{std::move(*made), std::move(loaded.model)};
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
