// A thread for each worker: it starts the process, talks to it, and starts it again.
#include "handler/python_handler.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

namespace millrace::handler {
namespace {

using std::chrono::steady_clock;

// A request that kills its worker this often is taken for the cause.
constexpr int kDeathsOfRequest = 2;

struct Invocation {
  InvokeRequest request;
  std::promise<Result<InvokeReply>> reply;
};

class PythonHandler final : public InferenceHandler {
 public:
  PythonHandler(PythonHandlerOptions options, std::unique_ptr<PythonWorker> first);
  ~PythonHandler() override;

  const HandlerTraits& traits() const override { return traits_; }
  std::future<Result<InvokeReply>> invoke(InvokeRequest request) override;
  std::optional<steady_clock::time_point> first_inference() const override;

 private:
  void start_lane(std::unique_ptr<PythonWorker> worker);  // REQUIRES: mutex_ is held
  void work(int index, std::unique_ptr<PythonWorker> worker);
  std::optional<Invocation> next();
  void give_back(Invocation invocation, const Error& cause);
  Result<InvokeReply> answer(const InvokeRequest& request, int index,
                             std::unique_ptr<PythonWorker>* worker);
  Error after_deaths(int deaths, const Error& last) const;

  PythonHandlerOptions options_;
  const CancelToken stop_;  // ends what starts when the handler goes
  HandlerTraits traits_;
  size_t lanes_max_ = 1;
  // Since any request was answered: a model that only ever dies ends its job.
  std::atomic<int> deaths_in_row_{0};

  mutable std::mutex mutex_;
  std::condition_variable work_;
  std::deque<Invocation> queue_;
  std::vector<std::thread> lanes_;
  size_t idle_ = 0;
  bool stopping_ = false;
  std::optional<steady_clock::time_point> first_;
};

// How many workers there may be, given what the first one takes.
size_t lanes_of(const PythonHandlerOptions& options, uint64_t memory_of_one) {
  auto most = static_cast<size_t>(std::max(1, options.workers_max));
  if (options.max_concurrent_transforms) {
    most = std::min<size_t>(most, *options.max_concurrent_transforms);
  }
  const uint64_t free = options.free_memory();
  if (free == 0 || memory_of_one == 0) return most;
  return std::min(most, static_cast<size_t>(1 + free / memory_of_one));
}

PythonHandler::PythonHandler(PythonHandlerOptions options, std::unique_ptr<PythonWorker> first)
    : options_(std::move(options)) {
  const ExecutionParameters& parameters = first->parameters();
  lanes_max_ = lanes_of(options_, first->memory_bytes());
  if (lanes_max_ < static_cast<size_t>(options_.workers_max) &&
      !options_.max_concurrent_transforms) {
    options_.worker.log("workers: " + std::to_string(lanes_max_) + " of " +
                        std::to_string(options_.workers_max) + ", as many as fit into memory");
  }
  traits_.max_concurrent_transforms =
      parameters.max_concurrent_transforms.value_or(static_cast<uint32_t>(lanes_max_));
  traits_.max_payload_in_mb = parameters.max_payload_in_mb;
  traits_.batch_strategy = parameters.batch_strategy;
  traits_.identity = options_.identity;
  const std::lock_guard lock(mutex_);
  start_lane(std::move(first));
}

PythonHandler::~PythonHandler() {
  stop_.cancel();
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_.notify_all();
  for (std::thread& lane : lanes_) lane.join();
}

std::future<Result<InvokeReply>> PythonHandler::invoke(InvokeRequest request) {
  Invocation invocation{std::move(request), {}};
  auto future = invocation.reply.get_future();
  {
    const std::lock_guard lock(mutex_);
    if (!first_) first_ = steady_clock::now();
    queue_.push_back(std::move(invocation));
    if (queue_.size() > idle_ && lanes_.size() < lanes_max_) start_lane(nullptr);
  }
  work_.notify_one();
  return future;
}

std::optional<steady_clock::time_point> PythonHandler::first_inference() const {
  const std::lock_guard lock(mutex_);
  return first_;
}

void PythonHandler::start_lane(std::unique_ptr<PythonWorker> worker) {
  const int index = static_cast<int>(lanes_.size());
  try {
    lanes_.emplace_back(
        [this, index, owned = std::make_shared<std::unique_ptr<PythonWorker>>(std::move(worker))] {
          work(index, std::move(*owned));
        });
  } catch (const std::system_error& error) {
    lanes_max_ = lanes_.size();  // those that run do it all
    options_.worker.log(std::string("cannot start a thread: ") + error.what());
  }
}

void PythonHandler::work(int index, std::unique_ptr<PythonWorker> worker) {
  const bool further = worker == nullptr;
  while (std::optional<Invocation> invocation = next()) {
    if (further && worker == nullptr && deaths_in_row_ == 0) {
      auto started = PythonWorker::start(options_.worker, index, stop_);
      if (!started) return give_back(std::move(*invocation), started.error());
      worker = std::move(*started);
    }
    invocation->reply.set_value(answer(invocation->request, index, &worker));
  }
}

std::optional<Invocation> PythonHandler::next() {
  std::unique_lock lock(mutex_);
  ++idle_;
  work_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
  --idle_;
  if (queue_.empty()) return std::nullopt;
  Invocation invocation = std::move(queue_.front());
  queue_.pop_front();
  return invocation;
}

// A further worker that cannot start leaves its work to the others.
void PythonHandler::give_back(Invocation invocation, const Error& cause) {
  {
    const std::lock_guard lock(mutex_);
    queue_.push_front(std::move(invocation));
    lanes_max_ = std::max<size_t>(1, lanes_max_ - 1);
  }
  work_.notify_one();
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
