// A thread for each worker: it starts the process, talks to it, and starts it again.
#include "handler/python_handler.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "handler/worker_queue.h"

namespace millrace::handler {
namespace {

// A request that kills its worker this often is taken for the cause.
constexpr int kDeathsOfRequest = 2;

class PythonHandler final : public InferenceHandler {
 public:
  PythonHandler(PythonHandlerOptions options, std::unique_ptr<PythonWorker> first);
  ~PythonHandler() override {
    stop_.cancel();
    queue_.stop();
  }

  const HandlerTraits& traits() const override { return traits_; }
  std::future<Result<InvokeReply>> invoke(InvokeRequest request) override {
    return queue_.submit(std::move(request));
  }
  std::optional<std::chrono::steady_clock::time_point> first_inference() const override {
    return queue_.first_inference();
  }

 private:
  void work(int index);
  void give_back(WorkerQueue::Invocation invocation, const Error& cause);
  Result<InvokeReply> answer(const InvokeRequest& request, int index,
                             std::unique_ptr<PythonWorker>* worker);
  Error after_deaths(int deaths, const Error& last) const;

  const PythonHandlerOptions options_;
  const CancelToken stop_;               // ends what starts when the handler goes
  std::unique_ptr<PythonWorker> first_;  // until worker 0 takes it
  const size_t workers_max_;
  HandlerTraits traits_;
  // Since any request was answered: a model that only ever dies ends its job.
  std::atomic<int> deaths_in_row_{0};
  WorkerQueue queue_;
};

// How many workers there may be, given what the first one takes.
size_t workers_of(const PythonHandlerOptions& options, uint64_t memory_of_one) {
  auto most = static_cast<size_t>(std::max(1, options.workers_max));
  if (options.max_concurrent_transforms) {
    most = std::min<size_t>(most, *options.max_concurrent_transforms);
  }
  const uint64_t free = options.free_memory();
  if (free == 0 || memory_of_one == 0) return most;
  return std::min(most, static_cast<size_t>(1 + free / memory_of_one));
}

PythonHandler::PythonHandler(PythonHandlerOptions options, std::unique_ptr<PythonWorker> first)
    : options_(std::move(options)),
      first_(std::move(first)),
      workers_max_(workers_of(options_, first_->memory_bytes())),
      queue_(workers_max_, [this](int index) { work(index); }) {
  if (workers_max_ < static_cast<size_t>(options_.workers_max) &&
      !options_.max_concurrent_transforms) {
    options_.worker.log("workers: " + std::to_string(workers_max_) + " of " +
                        std::to_string(options_.workers_max) + ", as many as fit into memory");
  }
  const ExecutionParameters& parameters = first_->parameters();
  traits_.max_concurrent_transforms =
      parameters.max_concurrent_transforms.value_or(static_cast<uint32_t>(workers_max_));
  traits_.max_payload_in_mb = parameters.max_payload_in_mb;
  traits_.batch_strategy = parameters.batch_strategy;
  traits_.identity = options_.identity;
}

void PythonHandler::work(int index) {
  const bool further = index > 0;
  std::unique_ptr<PythonWorker> worker = further ? nullptr : std::move(first_);
  while (std::optional<WorkerQueue::Invocation> invocation = queue_.next()) {
    if (further && worker == nullptr && deaths_in_row_ == 0) {
      auto started = PythonWorker::start(options_.worker, index, stop_);
      if (!started) return give_back(std::move(*invocation), started.error());
      worker = std::move(*started);
    }
    invocation->answer(answer(invocation->request, index, &worker));
  }
}

// A further worker that cannot start leaves its work to the others.
void PythonHandler::give_back(WorkerQueue::Invocation invocation, const Error& cause) {
  queue_.give_back(std::move(invocation));
  if (cause.code != Code::kCancelled) {
    options_.worker.log("a further worker could not start: " + cause.message);
  }
}

Error PythonHandler::after_deaths(int deaths, const Error& last) const {
  if (deaths_in_row_ >= limits::kWorkerDeathsMax) {
    return internal_error("the model only ever ends: " + last.message);
  }
  std::string message = "the worker that answered ended";
  if (deaths > 1) message += ", and so did the next one that was asked the same";
  return bad_input(message + ": " + last.message);
}

Result<InvokeReply> PythonHandler::answer(const InvokeRequest& request, int index,
                                          std::unique_ptr<PythonWorker>* worker) {
  const int attempts = 1 + options_.invocation_retries;
  Error last;
  int deaths = 0;
  for (int tried = 1; tried <= attempts; ++tried) {
    if (request.cancel.cancelled()) return fail(cancelled("cancelled"));
    if (*worker == nullptr) {
      auto started = PythonWorker::start(options_.worker, index, request.cancel);
      if (!started) return fail(std::move(started).error().within("start a worker again"));
      *worker = std::move(*started);
    }
    auto answer = (*worker)->ask(request, options_.invocation_timeout);
    if (answer) {
      deaths_in_row_ = 0;
      auto reply = read_invocation_reply(HttpReply{
          answer->status, {{"content-type", answer->content_type}}, std::move(answer->body)});
      if (reply || reply.error().code != Code::kUnavailable) return reply;
      last = std::move(reply).error();
      continue;
    }
    const bool died = (*worker)->died();
    worker->reset();
    last = std::move(answer).error();
    if (last.code == Code::kCancelled) return fail(std::move(last));
    if (!died) continue;
    ++deaths;
    ++deaths_in_row_;
    if (deaths == kDeathsOfRequest || tried == attempts) return fail(after_deaths(deaths, last));
  }
  if (attempts > 1) last.message += " (after " + std::to_string(attempts) + " attempts)";
  return fail(internal_error(std::move(last.message)));
}

}  // namespace

Result<std::unique_ptr<InferenceHandler>> make_python_handler(PythonHandlerOptions options,
                                                              const CancelToken& cancel) {
  MR_ASSIGN(auto first, PythonWorker::start(options.worker, 0, cancel));
  for (const std::string& ignored : first->parameters().ignored) {
    options.worker.log("execution_parameters_fn: " + ignored);
  }
  return std::make_unique<PythonHandler>(std::move(options), std::move(first));
}

}  // namespace millrace::handler
