// One thread calls the sink, so that a sink needs no lock.
#include "transform/progress.h"

#include <algorithm>

#include "base/background.h"
#include "base/limits.h"

namespace millrace::transform {

std::optional<double> Progress::eta_seconds() const {
  constexpr double kSecondsMin = 0.5;  // before that a rate is chance
  if (bytes_done >= bytes_total) return 0;
  if (bytes_per_s <= 0 || seconds < kSecondsMin) return std::nullopt;
  return static_cast<double>(bytes_total - bytes_done) / bytes_per_s;
}

void RateMeter::add(double seconds, double count) {
  // The last sample moves until it is a second after the one before.
  const bool moves = samples_.size() > 1 && seconds - samples_[samples_.size() - 2].first < 1;
  if (moves) samples_.pop_back();
  samples_.emplace_back(seconds, count);
  while (samples_.size() > 2 && samples_[1].first <= seconds - limits::kProgressRateSeconds) {
    samples_.pop_front();
  }
}

double RateMeter::per_s() const {
  if (samples_.empty()) return 0;
  const auto [seconds, count] = samples_.front();
  const double passed = samples_.back().first - seconds;
  // A request that came to nothing takes back what it had told.
  return passed > 0 ? std::max(0.0, (samples_.back().second - count) / passed) : 0;
}

ProgressTicker::ProgressTicker(const Counters& counters, const ObjectStates& states,
                               const TransformJob& job, const ProgressSink& sink)
    : counters_(counters), states_(states), job_(job), sink_(sink) {
  for (const PlannedObject& object : job.objects) bytes_total_ += object.input.size;
  if (!sink_) return;
  // Without it the job is done all the same, unseen.
  if (auto thread = start_thread([this] { tick(); })) thread_ = std::move(*thread);
}

ProgressTicker::~ProgressTicker() {
  if (!thread_.joinable()) return;
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  stop_changed_.notify_all();
  thread_.join();
}

double ProgressTicker::seconds() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

void ProgressTicker::add_objects(Progress* progress) const {
  for (size_t i = 0; i < states_.size(); ++i) {
    const ObjectState state = states_.get(i);
    if (state == ObjectState::kKept) ++progress->objects_kept;
    if (state != ObjectState::kRunning) continue;
    ++progress->objects_running;
    if (progress->running.size() < limits::kProgressObjectsNamed) {
      progress->running.push_back(job_.objects[i].input.key);
    }
  }
}

void ProgressTicker::show(bool ended) {
  Progress progress;
  progress.ended = ended;
  progress.objects_done = counters_.objects_done;
  progress.objects_failed = counters_.objects_failed;
  progress.objects_total = job_.objects.size();
  add_objects(&progress);
  const AnswerMeter::Amount answered = counters_.requests.answered();
  progress.records_done = counters_.records_done + answered.records;
  progress.records_failed = counters_.records_failed;
  // Read before the figure that it vouches for: what is found later only adds to it.
  progress.records_total_exact = counters_.objects_counted == job_.objects.size();
  progress.records_total = counters_.records_found;
  progress.bytes_done = counters_.bytes_done + answered.bytes;
  progress.bytes_total = bytes_total_;
  progress.seconds = seconds();
  const auto now_done = [&](uint64_t done, uint64_t earlier) {
    return static_cast<double>(done - std::min(done, earlier));
  };
  records_.add(progress.seconds, now_done(progress.records_done, counters_.records_found_done));
  bytes_.add(progress.seconds, now_done(progress.bytes_done, counters_.bytes_found_done));
  progress.records_per_s = records_.per_s();
  progress.bytes_per_s = bytes_.per_s();
  sink_(progress);
}

void ProgressTicker::tick() {
  constexpr auto kInterval = std::chrono::milliseconds(limits::kProgressIntervalMs);
  std::unique_lock lock(mutex_);
  while (!stop_) {
    lock.unlock();
    show(false);
    lock.lock();
    stop_changed_.wait_for(lock, kInterval, [&] { return stop_; });
  }
  lock.unlock();
  show(true);
}

}  // namespace millrace::transform
