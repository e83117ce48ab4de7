// Requests in, replies out; everything between is the scheduler's.
#include "handler/native_handler.h"

#include <future>

#include "handler/native_context.h"
#include "handler/native_request.h"
#include "handler/scheduler.h"
#include "handler/workspace.h"

namespace millrace::handler {

namespace {

// Requests are only queued here, and many in flight make good packs.
constexpr uint32_t kConcurrentTransforms = 64;

std::future<Result<InvokeReply>> refused(Error error) {
  std::promise<Result<InvokeReply>> promise;
  promise.set_value(fail(std::move(error)));
  return promise.get_future();
}

ResultShape shape_of(const NativeOptions& options) {
  if (options.echo_input) return ResultShape::kEchoed;
  if (options.output == OutputShape::kEmbedding) return ResultShape::kVector;
  return options.output == OutputShape::kLogits ? ResultShape::kNumbers : ResultShape::kLabelled;
}

class NativeHandler final : public InferenceHandler {
 public:
  NativeHandler(std::shared_ptr<const NativeContext> context, int threads,
                std::shared_ptr<ResultCache> results)
      : context_(std::move(context)),
        results_(std::move(results)),
        scheduler_(context_->model,
                   {.threads = threads,
                    .embeddings = context_->options.output == OutputShape::kEmbedding,
                    .results = results_},
                   [this] { return std::make_unique<Workspace>(context_->options); }) {
    traits_.max_concurrent_transforms = kConcurrentTransforms;
    traits_.reads_records_alone = true;
    traits_.result_columns = context_->reply_columns;
    traits_.result_shape = shape_of(context_->options);
    traits_.identity = context_->identity;
  }

  Status start() { return scheduler_.start(); }
  const HandlerTraits& traits() const override { return traits_; }

  std::future<Result<InvokeReply>> invoke(InvokeRequest request) override {
    auto made = NativeRequest::make(context_, std::move(request));
    if (!made) return refused(std::move(made).error());
    auto future = (*made)->future();
    if ((*made)->empty()) {
      (*made)->answer_empty();
    } else {
      scheduler_.submit(std::move(*made));
    }
    return future;
  }

  std::optional<std::chrono::steady_clock::time_point> first_inference() const override {
    return scheduler_.first_inference();
  }

  std::vector<std::string> notices() const override {
    std::vector<std::string> notices;
    const std::string& precision = context_->model->info().notice;
    if (!precision.empty()) notices.push_back(precision);
    const auto problem = results_ == nullptr ? std::nullopt : results_->problem();
    if (problem) notices.push_back("new results are not kept in the result cache: " + *problem);
    return notices;
  }

 private:
  const std::shared_ptr<const NativeContext> context_;
  const std::shared_ptr<ResultCache> results_;
  HandlerTraits traits_;
  Scheduler scheduler_;  // last: its workers end first
};

}  // namespace

Result<std::unique_ptr<InferenceHandler>> make_native_handler(
    std::shared_ptr<const model::TextClassificationModel> model, NativeOptions options, int threads,
    std::shared_ptr<ResultCache> results) {
  if (model->tokenizer() == nullptr) {
    return fail(invalid_argument(
        "the model folder has no tokenizer (tokenizer.json, or vocab.txt): texts cannot be read"));
  }
  auto context = std::make_shared<const NativeContext>(std::move(model), std::move(options));
  auto handler = std::make_unique<NativeHandler>(std::move(context), threads, std::move(results));
  MR_TRY(handler->start());
  return handler;
}

Result<std::shared_ptr<ResultCache>> open_result_cache(const model::TextClassificationModel& model,
                                                       const NativeOptions& options,
                                                       const std::filesystem::path& folder,
                                                       uint64_t bytes_max) {
  const model::ModelInfo& info = model.info();
  return ResultCache::open(
      {.folder = folder,
       .identity = info.numeric_identity,
       .labels = info.labels.size(),
       .hidden = options.output == OutputShape::kEmbedding ? info.hidden_size : 0,
       .bytes_max = bytes_max});
}

}  // namespace millrace::handler
