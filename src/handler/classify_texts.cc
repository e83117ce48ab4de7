// A request without bytes: slices of texts go through the same scheduler as slices of records.
#include "handler/classify_texts.h"

#include <algorithm>
#include <atomic>
#include <future>

#include "base/limits.h"
#include "handler/native_context.h"
#include "handler/python_float.h"
#include "handler/row_maker.h"
#include "handler/scheduler.h"
#include "handler/workspace.h"

namespace millrace::handler {

namespace {

class TextsTask final : public Task, public std::enable_shared_from_this<TextsTask> {
 public:
  TextsTask(const NativeContext& context, std::span<const std::string> texts)
      : context_(context), texts_(texts), results_(texts.size()) {}

  Result<std::vector<ClassifiedText>> wait() {
    done_.get_future().wait();
    // The first text that is wrong is reported, whichever was found first.
    for (size_t i = 0; i < errors_.size(); ++i) {
      if (!errors_[i].empty()) {
        return fail(bad_input("text " + std::to_string(i) + ": " + errors_[i]));
      }
    }
    return std::move(results_);
  }

  std::shared_ptr<Slice> next_slice() override;
  bool cancelled() const override { return false; }
  void abandon() override {}
  const std::string& group() const override { return group_; }
  uint64_t bytes() const override { return texts_.size(); }

 private:
  friend class TextsSlice;

  const NativeContext& context_;
  const std::span<const std::string> texts_;
  const std::string group_;
  size_t next_ = 0;
  std::vector<ClassifiedText> results_;
  std::vector<std::string> errors_ = std::vector<std::string>(texts_.size());
  std::atomic<size_t> open_{texts_.size()};
  std::promise<void> done_;
};

class TextsSlice final : public Slice {
 public:
  TextsSlice(std::shared_ptr<TextsTask> task, size_t begin, size_t end)
      : task_(std::move(task)), begin_(begin), end_(end) {}

  void prepare(Workspace& workspace) override {
    for (size_t i = begin_; i < end_; ++i) {
      InvokeCounts counts;
      RowText text;
      text.text = task_->texts_[i];
      auto kind =
          make_row(task_->context_, text, TextSource::kField, 0, workspace, &block, &counts);
      task_->results_[i].truncated = counts.truncated > 0;
      if (!kind) {
        task_->errors_[i] = std::move(kind).error().message;
        block.add_blank();
      }
      kinds_.push_back(kind ? *kind : RowKind::kBlank);
    }
  }

  void finish(Workspace&) override {
    for (size_t i = begin_; i < end_; ++i) fill(i - begin_, &task_->results_[i]);
    const size_t count = end_ - begin_;
    if (task_->open_.fetch_sub(count, std::memory_order_acq_rel) == count) {
      task_->done_.set_value();
    }
  }

  bool cancelled() const override { return false; }
  void abandon() override {}

 private:
  void fill(size_t row, ClassifiedText* result) {
    const NativeContext& context = task_->context_;
    const NativeOptions& options = context.options;
    if (kinds_[row] == RowKind::kOtherwise) result->label = options.otherwise;
    if (kinds_[row] != RowKind::kEncoded) return;
    const size_t labels = context.label_count();
    const float* logits = block.logits.data() + row * labels;
    result->logits.assign(logits, logits + labels);
    result->scores.resize(labels);
    apply_score_function(context.default_function, result->logits, result->scores.data());
    const Decision given = decide(result->scores, options.thresholds, !options.otherwise.empty());
    result->label = given.label ? options.labels[*given.label] : options.otherwise;
    result->score = given.score;
    double score = static_cast<double>(given.score);
    if (options.score_digits) score = python_round(score, *options.score_digits);
    append_python_float(score, &result->score_text);
  }

  const std::shared_ptr<TextsTask> task_;
  const size_t begin_;
  const size_t end_;
  std::vector<RowKind> kinds_;
};

std::shared_ptr<Slice> TextsTask::next_slice() {
  if (next_ == texts_.size()) return nullptr;
  const size_t begin = next_;
  next_ = std::min(begin + limits::kSliceRecordsMax, texts_.size());
  return std::make_shared<TextsSlice>(shared_from_this(), begin, next_);
}

}  // namespace

Result<std::vector<ClassifiedText>> classify_texts(
    std::shared_ptr<const model::TextClassificationModel> model, const NativeOptions& options,
    std::span<const std::string> texts, int threads) {
  if (model->tokenizer() == nullptr) {
    return fail(invalid_argument("the model folder has no tokenizer: texts cannot be read"));
  }
  if (texts.empty()) return std::vector<ClassifiedText>();
  const NativeContext context(model, options);
  Scheduler scheduler(model, {.threads = threads},
                      [&] { return std::make_unique<Workspace>(context.options); });
  MR_TRY(scheduler.start());
  const auto task = std::make_shared<TextsTask>(context, texts);
  scheduler.submit(task);
  return task->wait();
}

}  // namespace millrace::handler
