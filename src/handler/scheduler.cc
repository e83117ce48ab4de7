// Locks are taken for each slice and each pack, never for a record: slices are milliseconds of
// work.
#include "handler/scheduler.h"

#include <algorithm>
#include <chrono>

#include "base/background.h"
#include "base/check.h"
#include "base/limits.h"

namespace millrace::handler {

// What a worker has for itself: buffers of one pack, allocated once.
struct Scheduler::Worker {
  std::unique_ptr<Workspace> workspace;
  std::unique_ptr<model::Encoder> encoder;
  std::vector<int32_t> ids;
  std::vector<uint8_t> token_type_ids;
  std::vector<uint32_t> offsets;
  std::vector<uint32_t> groups;  // of the window, those that are encoded
  std::vector<float> logits;
  std::vector<float> embeddings;
  ResultReader reader;
  ResultBatch kept;
};

Scheduler::Scheduler(std::shared_ptr<const model::TextClassificationModel> model,
                     const SchedulerOptions& options,
                     std::function<std::unique_ptr<Workspace>()> make_workspace)
    : model_(std::move(model)),
      options_(options),
      pack_limits_{limits::kPackTokensMax, static_cast<size_t>(std::max(options.threads, 1)),
                   options.deduplicate},
      make_workspace_(std::move(make_workspace)),
      filling_(std::make_unique<Window>()) {}

Status Scheduler::start() {
  threads_.reserve(pack_limits_.encoders);
  for (size_t i = 0; i < pack_limits_.encoders; ++i) {
    MR_ASSIGN(std::thread worker, start_thread([this] { work(); }));
    threads_.push_back(std::move(worker));
  }
  return {};
}

Scheduler::~Scheduler() {
  {
    const Lock lock(mutex_);
    stopping_ = true;
  }
  work_.notify_all();
  space_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  // Nobody else is here any more. What was prepared belongs to tasks of which some slices may still
  // be queued, so abandoning is idempotent.
  for (const auto& slice : filling_->slices) slice->abandon();
  for (const PackJob& job : ready_) {
    for (const auto& slice : job.window->slices) slice->abandon();
  }
  for (const Group& group : groups_) {
    for (const auto& task : group.tasks) task->abandon();
  }
}

void Scheduler::submit(std::shared_ptr<Task> task) {
  const uint64_t bytes = task->bytes();
  {
    Lock lock(mutex_);
    space_.wait(lock, [&] {
      return stopping_ || queued_bytes_ == 0 || queued_bytes_ + bytes <= limits::kQueueBytesMax;
    });
    auto group = std::find_if(groups_.begin(), groups_.end(),
                              [&](const Group& g) { return g.name == task->group(); });
    if (group == groups_.end()) group = groups_.insert(groups_.end(), Group{task->group(), {}});
    const auto place =
        std::upper_bound(group->tasks.begin(), group->tasks.end(), task,
                         [](const auto& a, const auto& b) { return a->order() < b->order(); });
    group->tasks.insert(place, std::move(task));
    queued_bytes_ += bytes;
  }
  work_.notify_all();
}

void Scheduler::work() {
  Worker worker;
  worker.workspace = make_workspace_();
  const size_t tokens_max = std::max(limits::kPackTokensMax, model_->max_length());
  worker.encoder = std::make_unique<model::Encoder>(model_, tokens_max);
  Lock lock(mutex_);
  while (!stopping_) {
    if (!work_once(worker, lock)) wait_for_work(lock);
  }
}

bool Scheduler::work_once(Worker& worker, Lock& lock) {
  if (const std::optional<PackJob> job = take_pack()) {
    lock.unlock();
    run_pack(worker, *job);
    lock.lock();
    return true;
  }
  if (window_full()) {
    close_window(lock);
    return true;
  }
  std::vector<std::shared_ptr<Task>> dropped;
  const std::vector<std::shared_ptr<Slice>> slices = take_slices(&dropped);
  if (slices.empty() && dropped.empty()) return false;
  lock.unlock();
  for (const auto& task : dropped) task->abandon();
  dropped.clear();
  prepare(worker, slices);
  lock.lock();
  for (const auto& slice : slices) {
    if (slice->open_rows.load(std::memory_order_relaxed) > 0) filling_->add(slice);
  }
  return true;
}

std::optional<Scheduler::PackJob> Scheduler::take_pack() {
  if (ready_.empty()) return std::nullopt;
  PackJob job = ready_.front();
  if (++ready_.front().pack == job.window->pack_count()) ready_.pop_front();
  return job;
}

bool Scheduler::window_full() const {
  return filling_->rows >= limits::kWindowRowsMax || filling_->bytes >= limits::kWindowBytesMax;
}

void Scheduler::close_window(Lock& lock) {
  auto window = std::make_shared<Window>();
  std::swap(*window, *filling_);
  // Meanwhile the others fill the next one.
  lock.unlock();
  plan_window(pack_limits_, window.get());
  lock.lock();
  if (window->pack_count() > 0) ready_.push_back({std::move(window), 0});
  work_.notify_all();
}

void Scheduler::wait_for_work(Lock& lock) {
  if (filling_->rows == 0) {
    work_.wait(lock);
    return;
  }
  // An encoder is idle and rows wait: a moment for more of them, no longer.
  const auto woken = work_.wait_for(lock, std::chrono::milliseconds(limits::kWindowWaitMs));
  const bool idle = woken == std::cv_status::timeout && ready_.empty() && groups_.empty();
  if (idle && filling_->rows > 0 && !stopping_) close_window(lock);
}

std::vector<std::shared_ptr<Slice>> Scheduler::take_slices(
    std::vector<std::shared_ptr<Task>>* dropped) {
  std::vector<std::shared_ptr<Slice>> slices;
  uint64_t bytes = 0;
  while (!groups_.empty() && slices.size() < limits::kSliceRecordsMax &&
         bytes < limits::kSliceBytesMax) {
    Group& group = groups_.front();
    std::shared_ptr<Task>& task = group.tasks.front();
    const bool cancelled = task->cancelled();
    std::shared_ptr<Slice> slice = cancelled ? nullptr : task->next_slice();
    if (slice != nullptr) {
      slices.push_back(std::move(slice));
      bytes += std::min<uint64_t>(task->bytes(), limits::kSliceBytesMax);
    } else {
      queued_bytes_ -= task->bytes();
      space_.notify_all();
      if (cancelled) dropped->push_back(std::move(task));
      group.tasks.pop_front();
    }
    if (group.tasks.empty()) {
      groups_.pop_front();
    } else if (groups_.size() > 1) {
      groups_.push_back(std::move(groups_.front()));
      groups_.pop_front();
    }
  }
  return slices;
}

void Scheduler::prepare(Worker& worker, const std::vector<std::shared_ptr<Slice>>& slices) {
  const size_t labels = model_->info().labels.size();
  for (const auto& slice : slices) {
    if (slice->cancelled()) {
      slice->abandon();
      continue;
    }
    slice->prepare(*worker.workspace);
    RowBlock& block = slice->block;
    block.logits.resize(block.rows.size() * labels);
    if (options_.embeddings)
      block.embeddings.resize(block.rows.size() * model_->info().hidden_size);
    if (options_.results != nullptr)
      block.cached = options_.results->answer(&block, &worker.reader);
    if (block.cached > 0) note_first_inference();
    const auto open = std::count_if(block.rows.begin(), block.rows.end(),
                                    [](const RowBlock::Row& row) { return row.open(); });
    slice->open_rows.store(static_cast<size_t>(open), std::memory_order_relaxed);
    if (open == 0) slice->finish(*worker.workspace);
  }
}

void Scheduler::run_pack(Worker& worker, const PackJob& job) {
  const Window& window = *job.window;
  worker.ids.clear();
  worker.token_type_ids.clear();
  worker.offsets.assign(1, 0);
  worker.groups.clear();
  for (uint32_t g = window.packs[job.pack]; g < window.packs[job.pack + 1]; ++g) {
    const std::span<const RowRef> refs = window.group(g);
    const bool wanted = std::any_of(refs.begin(), refs.end(),
                                    [](const RowRef& ref) { return !ref.slice->cancelled(); });
    if (!wanted) {
      for (const RowRef& ref : refs) ref.slice->abandon();
      continue;
    }
    const RowBlock& block = refs[0].slice->block;
    const auto ids = block.ids_of(block.rows[refs[0].row]);
    const auto types = block.types_of(block.rows[refs[0].row]);
    worker.ids.insert(worker.ids.end(), ids.begin(), ids.end());
    worker.token_type_ids.insert(worker.token_type_ids.end(), types.begin(), types.end());
    worker.offsets.push_back(static_cast<uint32_t>(worker.ids.size()));
    worker.groups.push_back(g);
  }
  if (worker.groups.empty()) return;
  encode_and_deliver(worker, window);
}

std::optional<std::chrono::steady_clock::time_point> Scheduler::first_inference() const {
  using Clock = std::chrono::steady_clock;
  const Clock::rep ticks = first_inference_.load();
  if (ticks == 0) return std::nullopt;
  return Clock::time_point(Clock::duration(ticks));
}

void Scheduler::note_first_inference() {
  if (first_inference_.load(std::memory_order_relaxed) != 0) return;
  std::chrono::steady_clock::rep none = 0;
  first_inference_.compare_exchange_strong(
      none, std::chrono::steady_clock::now().time_since_epoch().count());
}

void Scheduler::encode_and_deliver(Worker& worker, const Window& window) {
  const size_t labels = model_->info().labels.size();
  const size_t hidden = options_.embeddings ? model_->info().hidden_size : 0;
  worker.logits.resize(worker.groups.size() * labels);
  worker.embeddings.resize(worker.groups.size() * hidden);
  note_first_inference();
  worker.encoder->forward({worker.ids, worker.token_type_ids, worker.offsets}, worker.logits.data(),
                          hidden > 0 ? worker.embeddings.data() : nullptr);
  for (size_t i = 0; i < worker.groups.size(); ++i) {
    for (const RowRef& ref : window.group(worker.groups[i])) {
      RowBlock& block = ref.slice->block;
      std::copy_n(worker.logits.data() + i * labels, labels,
                  block.logits.data() + ref.row * labels);
      std::copy_n(worker.embeddings.data() + i * hidden, hidden,
                  block.embeddings.data() + ref.row * hidden);
      ref.slice->row_answered(block.rows[ref.row]);
      // Who delivers a slice's last result writes its reply, seeing all that the others wrote.
      if (ref.slice->open_rows.fetch_sub(1, std::memory_order_acq_rel) == 1) {
        ref.slice->finish(*worker.workspace);
      }
    }
  }
  if (options_.results != nullptr) keep_results(worker, window);
}

// After delivery, when the slices may be gone: from the worker's own buffers.
void Scheduler::keep_results(Worker& worker, const Window& window) {
  const size_t labels = model_->info().labels.size();
  const size_t hidden = options_.embeddings ? model_->info().hidden_size : 0;
  worker.kept.clear();
  for (size_t i = 0; i < worker.groups.size(); ++i) {
    const size_t begin = worker.offsets[i];
    const size_t length = worker.offsets[i + 1] - begin;
    worker.kept.add({std::span(worker.ids).subspan(begin, length),
                     std::span(worker.token_type_ids).subspan(begin, length),
                     window.group(worker.groups[i])[0].hash},
                    std::span(worker.logits).subspan(i * labels, labels),
                    std::span(worker.embeddings).subspan(i * hidden, hidden));
  }
  options_.results->keep(worker.kept);
}

}  // namespace millrace::handler
