// The time left follows from bytes: how many records are still to come is known only to the scan.
#include "jobs/progress_meter.h"

namespace millrace::jobs {
namespace {

constexpr double kWindowSeconds = 60;
constexpr double kSampleSeconds = 1;

}  // namespace

JobProgress ProgressMeter::update(const transform::Progress& now) {
  JobProgress out;
  out.objects_total = now.objects_total;
  out.objects_done = now.objects_done;
  out.objects_failed = now.objects_failed;
  out.records_done = now.records_done;
  out.records_failed = now.records_failed;
  out.records_total = now.records_total;
  out.records_total_exact = now.records_total_exact;
  out.bytes_done = now.bytes_done;
  out.bytes_total = now.bytes_total;
  out.seconds = now.seconds;
  if (samples_.empty() || now.seconds - samples_.back().seconds >= kSampleSeconds) {
    samples_.push_back({now.seconds, now.records_done, now.bytes_done});
  }
  while (samples_.size() > 1 && now.seconds - samples_.front().seconds > kWindowSeconds) {
    samples_.pop_front();
  }
  const Sample& then = samples_.front();
  const double span = now.seconds - then.seconds;
  if (span <= 0) return out;
  out.records_per_second = static_cast<double>(now.records_done - then.records) / span;
  const double byte_rate = static_cast<double>(now.bytes_done - then.bytes) / span;
  if (byte_rate > 0 && now.bytes_total >= now.bytes_done) {
    out.eta_seconds = static_cast<double>(now.bytes_total - now.bytes_done) / byte_rate;
  }
  return out;
}

}  // namespace millrace::jobs
