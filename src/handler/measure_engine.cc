// The clock stands here alone: what the scheduler does never depends on it.
#include "handler/measure_engine.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <future>

#include "base/limits.h"
#include "handler/native_options.h"
#include "handler/scheduler.h"
#include "handler/utf8.h"
#include "handler/workspace.h"

namespace millrace::handler {

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

class MeasureTask final : public Task, public std::enable_shared_from_this<MeasureTask> {
 public:
  MeasureTask(const model::TextClassificationModel& model, std::span<const std::string> texts)
      : model_(model),
        texts_(texts),
        logits_(texts.size() * model.info().labels.size()),
        open_(texts.size()) {}

  void wait() { done_.get_future().wait(); }
  void move_to(EngineMeasurement* measurement) {
    measurement->sequences = texts_.size();
    measurement->tokens = tokens_;
    measurement->duplicates = duplicates_;
    measurement->logits = std::move(logits_);
    measurement->tokenize_seconds = static_cast<double>(tokenize_ns_) * 1e-9;
  }

  std::shared_ptr<Slice> next_slice() override;
  bool cancelled() const override { return false; }
  void abandon() override {}
  const std::string& group() const override { return group_; }
  uint64_t bytes() const override { return texts_.size(); }

 private:
  friend class MeasureSlice;

  const model::TextClassificationModel& model_;
  const std::span<const std::string> texts_;
  const std::string group_;
  size_t next_ = 0;
  std::vector<float> logits_;
  std::atomic<uint64_t> tokens_{0};
  std::atomic<uint64_t> duplicates_{0};
  std::atomic<int64_t> tokenize_ns_{0};
  std::atomic<size_t> open_;
  std::promise<void> done_;
};

class MeasureSlice final : public Slice {
 public:
  MeasureSlice(std::shared_ptr<MeasureTask> task, size_t begin, size_t end)
      : task_(std::move(task)), begin_(begin), end_(end) {}

  void prepare(Workspace& workspace) override {
    const Clock::time_point start = Clock::now();
    const model::TextClassificationModel& model = task_->model_;
    for (size_t i = begin_; i < end_; ++i) {
      std::string_view text = task_->texts_[i];
      if (valid_utf8_prefix(text) < text.size()) {
        replace_invalid_utf8(text, &workspace.first_repaired);
        text = workspace.first_repaired;
      }
      model.tokenizer()->encode(text, model.max_length(), &workspace.encoding);
      block.add(workspace.encoding.ids, workspace.encoding.token_type_ids);
    }
    task_->tokens_ += block.ids.size();
    const auto spent = Clock::now() - start;
    task_->tokenize_ns_ += std::chrono::duration_cast<std::chrono::nanoseconds>(spent).count();
  }

  void finish(Workspace&) override {
    task_->duplicates_ += block.duplicates;
    const size_t count = end_ - begin_;
    const size_t labels = task_->model_.info().labels.size();
    std::copy_n(block.logits.data(), count * labels, task_->logits_.data() + begin_ * labels);
    if (task_->open_.fetch_sub(count, std::memory_order_acq_rel) == count) {
      task_->done_.set_value();
    }
  }

  bool cancelled() const override { return false; }
  void abandon() override {}

 private:
  const std::shared_ptr<MeasureTask> task_;
  const size_t begin_;
  const size_t end_;
};

std::shared_ptr<Slice> MeasureTask::next_slice() {
  if (next_ == texts_.size()) return nullptr;
  const size_t begin = next_;
  next_ = std::min(begin + limits::kSliceRecordsMax, texts_.size());
  return std::make_shared<MeasureSlice>(shared_from_this(), begin, next_);
}

}  // namespace

Result<EngineMeasurement> measure_engine(
    std::shared_ptr<const model::TextClassificationModel> model, std::span<const std::string> texts,
    int threads, bool deduplicate) {
  if (model->tokenizer() == nullptr) {
    return fail(invalid_argument("the model folder has no tokenizer: texts cannot be read"));
  }
  EngineMeasurement measurement;
  if (texts.empty()) return measurement;
  const NativeOptions options;
  Scheduler scheduler(model, {.threads = threads, .deduplicate = deduplicate},
                      [&] { return std::make_unique<Workspace>(options); });
  MR_TRY(scheduler.start());
  const auto run = [&](std::span<const std::string> some) {
    const auto task = std::make_shared<MeasureTask>(*model, some);
    scheduler.submit(task);
    task->wait();
    return task;
  };
  run(texts.subspan(0, std::min<size_t>(texts.size(), limits::kSliceRecordsMax)));
  const Clock::time_point start = Clock::now();
  const auto task = run(texts);
  measurement.seconds = seconds_since(start);
  task->move_to(&measurement);
  return measurement;
}

}  // namespace millrace::handler
