// `millrace model serve`: the native model answers SageMaker's container contract over HTTP.
#include <fmt/format.h>

#include <memory>
#include <thread>

#include "cli/cli.h"
#include "cli/console.h"
#include "cli/signals.h"
#include "jobs/backends.h"
#include "server/http_server.h"
#include "server/model_service.h"

namespace millrace::cli {
namespace {

struct ServeArguments {
  std::string model;
  server::ServerOptions options;
  std::string threads;
};

Result<jobs::LoadedHandler> load(const ServeArguments& arguments, const Context& context) {
  jobs::SettingLayers layers;
  layers.process_environment = context.environment;
  if (!arguments.threads.empty()) layers.flags["THREADS"] = arguments.threads;
  MR_ASSIGN(const jobs::Settings merged, jobs::merge_settings(layers));
  const int cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  MR_ASSIGN(const jobs::JobSettings settings, jobs::check_settings(merged, cores));
  const std::string& name = arguments.model.empty() ? settings.model : arguments.model;
  MR_ASSIGN(const std::filesystem::path folder, model_folder(name, context));
  return jobs::load_native_handler({folder, folder.filename().string()}, settings);
}

// Listens first: a port that is taken shows at once, and clients that come early only wait.
int run_model_serve(const ServeArguments& arguments, const Context& context) {
  const CancelToken cancel;
  cancel_on_signals(cancel);
  server::ModelService* service = nullptr;
  const auto server = server::HttpServer::listen(
      arguments.options, [&service](server::ServerRequest request, server::Answer answer) {
        service->handle(std::move(request), std::move(answer));
      });
  if (!server) return refuse(server.error());
  const auto loaded = load(arguments, context);
  if (!loaded) return refuse(loaded.error());
  server::ModelService serving(*loaded->handler);
  service = &serving;
  say(fmt::format("serving on http://{}:{}", arguments.options.address, (*server)->port()));
  const Status served = (*server)->run(cancel);
  serving.stop();
  if (served) return kExitOk;
  say(served.error().message);
  return kExitFailed;
}

}  // namespace

void add_model_serve_command(CLI::App* model, const Context& context, Run* run) {
  CLI::App* command = model->add_subcommand(
      "serve", "Answer /ping, /execution-parameters and /invocations, as a SageMaker container");
  const auto arguments = std::make_shared<ServeArguments>();
  command->add_option("--model", arguments->model, "The model (default: sst2-small)")
      ->type_name("MODEL");
  command
      ->add_option("--port", arguments->options.port,
                   "The port; 0: any free one (default: SAGEMAKER_BIND_TO_PORT, else 8080)")
      ->envname("SAGEMAKER_BIND_TO_PORT")
      ->default_val(8080);
  command->add_option("--host", arguments->options.address, "The address to listen on")
      ->type_name("ADDRESS")
      ->capture_default_str();
  command
      ->add_option("--threads", arguments->threads, "Encoder threads (default: one for each core)")
      ->type_name("N");
  command->footer(
      "Settings of the native model are variables of the process: MILLRACE_TEXT_COLUMN, "
      "MILLRACE_PRECISION, ...\n"
      "Ends in good order on SIGTERM and SIGINT.");
  command->callback(
      [=, &context] { *run = [=, &context] { return run_model_serve(*arguments, context); }; });
}

}  // namespace millrace::cli
