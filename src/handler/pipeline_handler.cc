// As many threads as there may be requests in flight: each takes one through all steps, so that
// none waits for another's turn. They are started only when requests come.
#include "handler/pipeline_handler.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/check.h"
#include "base/xxh3.h"
#include "handler/worker_queue.h"
#include "record/reply_records.h"

namespace millrace::handler {
namespace {

using std::chrono::steady_clock;

// --- what the steps are together ---

// None of them is asked for more at one time than it states; one that states nothing takes one.
std::optional<uint32_t> common_concurrency(const std::vector<PipelineStep>& steps) {
  std::optional<uint32_t> least = steps.front().handler->traits().max_concurrent_transforms;
  for (const PipelineStep& step : steps) {
    const auto stated = step.handler->traits().max_concurrent_transforms;
    if (!stated || !least) return std::nullopt;
    least = std::min(*least, *stated);
  }
  return least;
}

std::optional<uint64_t> common_payload(const std::vector<PipelineStep>& steps) {
  std::optional<uint64_t> least;
  for (const PipelineStep& step : steps) {
    const auto stated = step.handler->traits().max_payload_in_mb;
    if (stated) least = std::min(least.value_or(*stated), *stated);
  }
  return least;
}

std::optional<record::BatchStrategy> common_strategy(const std::vector<PipelineStep>& steps) {
  std::optional<record::BatchStrategy> found;
  for (const PipelineStep& step : steps) {
    const auto stated = step.handler->traits().batch_strategy;
    if (stated == record::BatchStrategy::kSingleRecord) return stated;
    if (!found) found = stated;
  }
  return found;
}

// One step of which nothing is known makes the whole one of which nothing is known.
std::string common_identity(const std::vector<PipelineStep>& steps) {
  Xxh3 digest;
  for (const PipelineStep& step : steps) {
    const std::string& identity = step.handler->traits().identity;
    if (identity.empty()) return "";
    digest.field(identity);
  }
  return "pipeline/" + digest.hex();
}

HandlerTraits common_traits(const std::vector<PipelineStep>& steps) {
  const HandlerTraits& last = steps.back().handler->traits();
  HandlerTraits traits;
  traits.max_concurrent_transforms = common_concurrency(steps);
  traits.max_payload_in_mb = common_payload(steps);
  traits.batch_strategy = common_strategy(steps);
  traits.reads_records_alone = std::all_of(
      steps.begin(), steps.end(),
      [](const PipelineStep& step) { return step.handler->traits().reads_records_alone; });
  traits.result_columns = last.result_columns;
  traits.result_shape = last.result_shape;
  traits.identity = common_identity(steps);
  return traits;
}

// --- one request's way through them ---

class Journey {
 public:
  explicit Journey(InvokeRequest request)
      : request_(std::move(request)),
        answered_(std::exchange(request_.answered, nullptr)),
        body_bytes_(request_.body.size()),
        accept_(request_.accept),
        records_(request_.records.size()) {
    left_.resize(records_);
    std::iota(left_.begin(), left_.end(), 0U);
  }

  Result<InvokeReply> go(const std::vector<PipelineStep>& steps);

 private:
  InvokeRequest take_request();
  void tell_as_answered(InvokeRequest* last) const;
  Status take(const PipelineStep& step, InvokeReply reply);
  Status take_errors(const PipelineStep& step);
  void make_next_request();
  Result<InvokeReply> finish(const PipelineStep& last);
  // Every record was refused: there is nothing to ask the next step.
  bool is_over() const { return records_ > 0 && left_.empty(); }

  InvokeRequest request_;                                   // to the next step
  const std::function<void(uint32_t, uint64_t)> answered_;  // of the request to the first
  const uint64_t body_bytes_;                               // likewise
  const std::string accept_;
  const size_t records_;        // of the request to the first step
  std::vector<uint32_t> left_;  // of these, those that the latest reply answers
  InvokeReply reply_;           // the latest
  std::vector<RecordError> errors_;
  InvokeCounts counts_;
};

Result<InvokeReply> Journey::go(const std::vector<PipelineStep>& steps) {
  const PipelineStep* asked = nullptr;
  for (const PipelineStep& step : steps) {
    if (asked != nullptr) make_next_request();
    asked = &step;
    request_.accept = &step == &steps.back() ? accept_ : "";
    if (request_.cancel.cancelled()) return fail(cancelled("cancelled"));
    InvokeRequest request = take_request();
    if (&step == &steps.back()) tell_as_answered(&request);
    auto reply = step.handler->invoke(std::move(request)).get();
    if (!reply) return fail(std::move(reply).error().within(step.name));
    MR_TRY(take(step, std::move(*reply)));
    if (is_over()) break;
  }
  return finish(*asked);
}

// What it says besides its records is said to the next step, too.
InvokeRequest Journey::take_request() {
  std::string body = std::exchange(request_.body, {});
  std::vector<RecordSpan> records = std::exchange(request_.records, {});
  InvokeRequest request = request_;
  request.body = std::move(body);
  request.records = std::move(records);
  return request;
}

// What the last step has answered is answered; its body stands for that of the first.
void Journey::tell_as_answered(InvokeRequest* last) const {
  if (!answered_ || last->body.empty()) return;
  last->answered = [answered = answered_, bytes = body_bytes_, of = last->body.size()](
                       uint32_t records, uint64_t body_bytes) {
    answered(records, bytes * body_bytes / of);
  };
}

Status Journey::take(const PipelineStep& step, InvokeReply reply) {
  reply_ = std::move(reply);
  counts_ += reply_.counts;
  if (!reply_.errors.empty()) MR_TRY(take_errors(step));
  if (reply_.records.size() != left_.size()) reply_.records.clear();
  return {};
}

// Refused records leave; the others close up.
Status Journey::take_errors(const PipelineStep& step) {
  const RecordError& first = reply_.errors.front();
  if (reply_.records.size() != left_.size()) {
    return fail(bad_input("record " + std::to_string(first.record + 1) +
                          " of what the step before gave: " + first.message)
                    .within(step.name));
  }
  std::vector<uint32_t> left;
  std::vector<RecordSpan> spans;
  auto error = reply_.errors.begin();
  for (uint32_t i = 0; i < left_.size(); ++i) {
    if (error != reply_.errors.end() && error->record == i) {
      errors_.push_back({left_[i], step.name + ": " + error->message});
      ++error;
      continue;
    }
    left.push_back(left_[i]);
    spans.push_back(reply_.records[i]);
  }
  left_ = std::move(left);
  reply_.records = std::move(spans);
  return {};
}

void Journey::make_next_request() {
  request_.records = std::move(reply_.records);
  request_.body = std::move(reply_.body);
  request_.content_type = reply_.content_type;
  request_.text_column.reset();  // which the header of the job's own records told
  if (!request_.records.empty() || left_.empty()) return;
  if (left_.size() == 1) {
    request_.records = {{0, static_cast<uint32_t>(request_.body.size())}};
    return;
  }
  auto spans = record::reply_records(request_.body, record::media_type(request_.content_type),
                                     request_.csv_delimiter, left_.size());
  if (spans) request_.records = std::move(*spans);
}

// Where records were refused, all of them are told apart: so it is known which.
Result<InvokeReply> Journey::finish(const PipelineStep& last) {
  InvokeReply reply = std::move(reply_);
  reply.counts = counts_;
  reply.errors.clear();
  if (errors_.empty()) return reply;
  if (reply.records.empty() && !left_.empty()) {
    const std::string& type = reply.content_type.empty() ? accept_ : reply.content_type;
    auto spans = record::reply_records(reply.body, record::media_type(type), request_.csv_delimiter,
                                       left_.size());
    if (!spans) return fail(std::move(spans).error().within(last.name));
    reply.records = std::move(*spans);
  }
  std::vector<RecordSpan> all(records_);
  for (size_t i = 0; i < left_.size(); ++i) all[left_[i]] = reply.records[i];
  reply.records = std::move(all);
  std::sort(errors_.begin(), errors_.end(),
            [](const RecordError& a, const RecordError& b) { return a.record < b.record; });
  reply.errors = std::move(errors_);
  return reply;
}

class PipelineHandler final : public InferenceHandler {
 public:
  explicit PipelineHandler(PipelineHandlerOptions options)
      : steps_(std::move(options.steps)),
        traits_(common_traits(steps_)),
        queue_(options.max_concurrent_transforms.value_or(
                   traits_.max_concurrent_transforms.value_or(1)),
               [this](int) { work(); }) {
    MR_CHECK(steps_.size() >= 2);
  }
  ~PipelineHandler() override { queue_.stop(); }

  const HandlerTraits& traits() const override { return traits_; }
  std::future<Result<InvokeReply>> invoke(InvokeRequest request) override {
    return queue_.submit(std::move(request));
  }
  std::optional<steady_clock::time_point> first_inference() const override;
  std::vector<std::string> notices() const override;

 private:
  void work();

  const std::vector<PipelineStep> steps_;
  const HandlerTraits traits_;
  WorkerQueue queue_;
};

void PipelineHandler::work() {
  while (std::optional<WorkerQueue::Invocation> invocation = queue_.next()) {
    Journey journey(std::move(invocation->request));
    invocation->reply.set_value(journey.go(steps_));
  }
}

std::optional<steady_clock::time_point> PipelineHandler::first_inference() const {
  std::optional<steady_clock::time_point> first;
  for (const PipelineStep& step : steps_) {
    const auto began = step.handler->first_inference();
    if (began && (!first || *began < *first)) first = began;
  }
  return first;
}

std::vector<std::string> PipelineHandler::notices() const {
  std::vector<std::string> all;
  for (const PipelineStep& step : steps_) {
    for (const std::string& notice : step.handler->notices()) {
      all.push_back(step.name + ": " + notice);
    }
  }
  return all;
}

}  // namespace

std::unique_ptr<InferenceHandler> make_pipeline_handler(PipelineHandlerOptions options) {
  return std::make_unique<PipelineHandler>(std::move(options));
}

}  // namespace millrace::handler
